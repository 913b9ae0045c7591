-- A store of format 1, as `sqlite3 .dump` writes it: a check of the partitions a and b of an asset, and one that warned.
PRAGMA application_id = 1634956402;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attempts (
        run TEXT NOT NULL, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL,
        message TEXT, because TEXT, PRIMARY KEY (run, key, partition)) WITHOUT ROWID;
INSERT INTO "attempts" VALUES('20260102-030405-79afa8','parts','','2026-01-02T03:04:49.712813+00:00','check_failed','check not_a failed',NULL);
INSERT INTO "attempts" VALUES('20260102-030405-79afa8','parts','a','2026-01-02T03:04:49.712680+00:00','materialized',NULL,NULL);
INSERT INTO "attempts" VALUES('20260102-030405-d76f2f','total','','2026-01-02T03:04:49.753623+00:00','materialized',NULL,NULL);
INSERT INTO "attempts" VALUES('20260102-030405-e70857','parts','b','2026-01-02T03:04:49.692711+00:00','materialized',NULL,NULL);
CREATE TABLE checks (
        key TEXT NOT NULL, name TEXT NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL, invocation TEXT,
        body TEXT NOT NULL, PRIMARY KEY (key, name)) WITHOUT ROWID;
INSERT INTO "checks" VALUES('parts','not_a','20260102-030405-79afa8','2026-01-02T03:04:49.712813+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":false,"metadata":{"partition":"a"}}');
INSERT INTO "checks" VALUES('total','many','20260102-030405-d76f2f','2026-01-02T03:04:49.753852+00:00','1','{"event":"checked","asset":"total","check":"many","passed":false,"severity":"warn"}');
CREATE TABLE claims (key TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, at TEXT NOT NULL, invocation TEXT, body TEXT NOT NULL);
INSERT INTO "events" VALUES(1,'20260102-030405-e70857','2026-01-02T03:04:49.666633+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1}');
INSERT INTO "events" VALUES(2,'20260102-030405-e70857','2026-01-02T03:04:49.666812+00:00','1','{"event":"invocation_started","kind":"python","assets":["parts"],"command":"shop.parts()"}');
INSERT INTO "events" VALUES(3,'20260102-030405-e70857','2026-01-02T03:04:49.676925+00:00','1','{"event":"started","asset":"parts","partition":"b"}');
INSERT INTO "events" VALUES(4,'20260102-030405-e70857','2026-01-02T03:04:49.692711+00:00','1','{"event":"materialized","asset":"parts","partition":"b","data_version":"e3c81c001c8aeae9edd2152f3fe3eddc","metadata":{"type":"str","bytes":16,"io":"project"}}');
INSERT INTO "events" VALUES(5,'20260102-030405-e70857','2026-01-02T03:04:49.693007+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":true,"metadata":{"partition":"b"}}');
INSERT INTO "events" VALUES(6,'20260102-030405-e70857','2026-01-02T03:04:49.693017+00:00','1','{"event":"invocation_finished","state":"succeeded","seconds":0.028}');
INSERT INTO "events" VALUES(7,'20260102-030405-e70857','2026-01-02T03:04:49.697711+00:00',NULL,'{"event":"run_finished","state":"succeeded","seconds":0.084,"counts":{"materialized":1,"checks_passed":1}}');
INSERT INTO "events" VALUES(8,'20260102-030405-79afa8','2026-01-02T03:04:49.709514+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1}');
INSERT INTO "events" VALUES(9,'20260102-030405-79afa8','2026-01-02T03:04:49.709590+00:00','1','{"event":"invocation_started","kind":"python","assets":["parts"],"command":"shop.parts()"}');
INSERT INTO "events" VALUES(10,'20260102-030405-79afa8','2026-01-02T03:04:49.711290+00:00','1','{"event":"started","asset":"parts","partition":"a"}');
INSERT INTO "events" VALUES(11,'20260102-030405-79afa8','2026-01-02T03:04:49.712680+00:00','1','{"event":"materialized","asset":"parts","partition":"a","data_version":"35cfe235f3d078a1c8fe0b670f9b1d9a","metadata":{"type":"str","bytes":16,"io":"project"}}');
INSERT INTO "events" VALUES(12,'20260102-030405-79afa8','2026-01-02T03:04:49.712813+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":false,"metadata":{"partition":"a"}}');
INSERT INTO "events" VALUES(13,'20260102-030405-79afa8','2026-01-02T03:04:49.712821+00:00','1','{"event":"invocation_finished","state":"failed","seconds":0.004}');
INSERT INTO "events" VALUES(14,'20260102-030405-79afa8','2026-01-02T03:04:49.721515+00:00',NULL,'{"event":"run_finished","state":"failed","seconds":0.016,"counts":{"materialized":1,"checks_failed":1}}');
INSERT INTO "events" VALUES(15,'20260102-030405-d76f2f','2026-01-02T03:04:49.730662+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1}');
INSERT INTO "events" VALUES(16,'20260102-030405-d76f2f','2026-01-02T03:04:49.730736+00:00','1','{"event":"invocation_started","kind":"python","assets":["total"],"command":"shop.total()"}');
INSERT INTO "events" VALUES(17,'20260102-030405-d76f2f','2026-01-02T03:04:49.732084+00:00','1','{"event":"started","asset":"total"}');
INSERT INTO "events" VALUES(18,'20260102-030405-d76f2f','2026-01-02T03:04:49.753623+00:00','1','{"event":"materialized","asset":"total","data_version":"fcbb69cc43a0315ec821642e84d42318","metadata":{"type":"int","bytes":5,"io":"project"}}');
INSERT INTO "events" VALUES(19,'20260102-030405-d76f2f','2026-01-02T03:04:49.753852+00:00','1','{"event":"checked","asset":"total","check":"many","passed":false,"severity":"warn"}');
INSERT INTO "events" VALUES(20,'20260102-030405-d76f2f','2026-01-02T03:04:49.753862+00:00','1','{"event":"invocation_finished","state":"succeeded","seconds":0.023}');
INSERT INTO "events" VALUES(21,'20260102-030405-d76f2f','2026-01-02T03:04:49.757471+00:00',NULL,'{"event":"run_finished","state":"succeeded","seconds":0.03,"counts":{"materialized":1,"checks_warned":1}}');
CREATE TABLE handles (
        run TEXT NOT NULL, invocation TEXT NOT NULL, token TEXT NOT NULL,
        PRIMARY KEY (run, invocation)) WITHOUT ROWID;
CREATE TABLE latest (
        key TEXT NOT NULL, partition TEXT NOT NULL, materialization INTEGER, attempt TEXT,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
INSERT INTO "latest" VALUES('parts','',NULL,'20260102-030405-79afa8');
INSERT INTO "latest" VALUES('parts','a',2,'20260102-030405-79afa8');
INSERT INTO "latest" VALUES('parts','b',1,'20260102-030405-e70857');
INSERT INTO "latest" VALUES('total','',3,'20260102-030405-d76f2f');
CREATE TABLE materializations (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, run TEXT NOT NULL,
        data_version TEXT NOT NULL, code_version TEXT, seconds REAL, trace TEXT);
INSERT INTO "materializations" VALUES(1,'parts','b','2026-01-02T03:04:49.692711+00:00','20260102-030405-e70857','e3c81c001c8aeae9edd2152f3fe3eddc','1',0.015786,'{"code_parts":{"code_version":"1"},"metadata":{"type":"str","bytes":16,"io":"project"}}');
INSERT INTO "materializations" VALUES(2,'parts','a','2026-01-02T03:04:49.712680+00:00','20260102-030405-79afa8','35cfe235f3d078a1c8fe0b670f9b1d9a','1',0.00139,'{"code_parts":{"code_version":"1"},"metadata":{"type":"str","bytes":16,"io":"project"}}');
INSERT INTO "materializations" VALUES(3,'total','','2026-01-02T03:04:49.753623+00:00','20260102-030405-d76f2f','fcbb69cc43a0315ec821642e84d42318','1',0.021539,'{"inputs":{"parts":"9372a024bc887d971a041b05"},"code_parts":{"code_version":"1"},"metadata":{"type":"int","bytes":5,"io":"project"}}');
CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, started TEXT NOT NULL,
        finished TEXT, assets TEXT NOT NULL, options TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
        owner TEXT NOT NULL, seen TEXT NOT NULL);
INSERT INTO "runs" VALUES(1,'20260102-030405-e70857','succeeded','2026-01-02T03:04:49.605325+00:00','2026-01-02T03:04:49.697711+00:00','["parts"]','{"partition":["b"],"select":"parts","exclude":null,"full_refresh":false,"stale":false}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:49.665920+00:00');
INSERT INTO "runs" VALUES(2,'20260102-030405-79afa8','failed','2026-01-02T03:04:49.705451+00:00','2026-01-02T03:04:49.721515+00:00','["parts"]','{"partition":["a"],"select":"parts","exclude":null,"full_refresh":false,"stale":false}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:49.707437+00:00');
INSERT INTO "runs" VALUES(3,'20260102-030405-d76f2f','succeeded','2026-01-02T03:04:49.726821+00:00','2026-01-02T03:04:49.757471+00:00','["total"]','{"partition":[],"select":"total","exclude":null,"full_refresh":false,"stale":false}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:49.729774+00:00');
CREATE INDEX runs_running ON runs (number) WHERE state = 'running';
CREATE INDEX events_run ON events (run, id);
CREATE INDEX claims_run ON claims (run);
COMMIT;
