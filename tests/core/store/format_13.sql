-- A store of format 13, as `sqlite3 .dump` writes it: a check of the partitions a and b of an asset, one that warned, and a look.
PRAGMA application_id = 1634956402;
PRAGMA user_version = 13;
BEGIN TRANSACTION;
CREATE TABLE accepted (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
        why TEXT NOT NULL, causes TEXT NOT NULL, undone INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
INSERT INTO "accepted" VALUES(1,'parts','b','2026-01-02T04:00:00+00:00','ana','Only a comment.','["code_changed"]',0,'["parts","b","2026-01-02T03:04:55.584430+00:00","20260102-030405-e21ae4","19c46167d7ad68cead2d4f5b8eb3dcad","1",0.008427,"{\"code_parts\":{\"code_version\":\"1\"},\"metadata\":{\"type\":\"str\",\"io\":\"project\"}}",null]','["parts","b","2026-01-02T03:04:55.584430+00:00","20260102-030405-e21ae4","19c46167d7ad68cead2d4f5b8eb3dcad","2",0.008427,"{\"code_parts\":{\"code_version\":\"2\"},\"metadata\":{\"type\":\"str\",\"io\":\"project\"},\"accepted\":[\"1\",null]}",null]');
INSERT INTO "accepted" VALUES(2,'total','','2026-01-02T04:01:00+00:00','ana','Only a comment.','["code_changed"]',0,'["total","","2026-01-02T03:04:55.657290+00:00","20260102-030405-c9f730","12a3314a73ecbbb45f9c04a4118a5d31","1",0.000277,"{\"inputs\":{\"parts\":\"sum:bad75c6f424e497c9ae776438bd75b56\"},\"code_parts\":{\"code_version\":\"1\"},\"metadata\":{\"type\":\"int\",\"io\":\"project\"}}",null]','["total","","2026-01-02T03:04:55.657290+00:00","20260102-030405-c9f730","12a3314a73ecbbb45f9c04a4118a5d31","2",0.000277,"{\"inputs\":{\"parts\":\"sum:bad75c6f424e497c9ae776438bd75b56\"},\"code_parts\":{\"code_version\":\"2\"},\"metadata\":{\"type\":\"int\",\"io\":\"project\"},\"accepted\":[\"1\",null]}",null]');
INSERT INTO "accepted" VALUES(3,'parts','b','2026-01-02T04:05:00+00:00','ana','','[]',1,'["parts","b","2026-01-02T03:04:55.584430+00:00","20260102-030405-e21ae4","19c46167d7ad68cead2d4f5b8eb3dcad","2",0.008427,"{\"code_parts\":{\"code_version\":\"2\"},\"metadata\":{\"type\":\"str\",\"io\":\"project\"},\"accepted\":[\"1\",null]}",null]','["parts","b","2026-01-02T03:04:55.584430+00:00","20260102-030405-e21ae4","19c46167d7ad68cead2d4f5b8eb3dcad","1",0.008427,"{\"code_parts\":{\"code_version\":\"1\"},\"metadata\":{\"type\":\"str\",\"io\":\"project\"}}",null]');
CREATE TABLE attempts (
        run TEXT NOT NULL, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL,
        message TEXT, because TEXT, hint TEXT, PRIMARY KEY (run, key, partition)) WITHOUT ROWID;
INSERT INTO "attempts" VALUES('20260102-030405-93a49c','parts','a','2026-01-02T03:04:55.617384+00:00','check_failed','check not_a failed',NULL,'Mend it, then run `assetry retry`.');
INSERT INTO "attempts" VALUES('20260102-030405-c9f730','total','','2026-01-02T03:04:55.657290+00:00','materialized',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('20260102-030405-e21ae4','parts','b','2026-01-02T03:04:55.584430+00:00','materialized',NULL,NULL,NULL);
CREATE TABLE backfills (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);
INSERT INTO "backfills" VALUES(1,'20260102-040600-b1a2c3','2026-01-02T04:06:00+00:00','cancelled','{"wants":{"parts":[["a","b"]]}}');
CREATE TABLE "checks" (
        key TEXT NOT NULL, name TEXT NOT NULL, partition TEXT NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL,
        invocation TEXT, body TEXT NOT NULL, PRIMARY KEY (key, name, partition)) WITHOUT ROWID;
INSERT INTO "checks" VALUES('parts','not_a','a','20260102-030405-93a49c','2026-01-02T03:04:55.617384+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":false,"metadata":{"partition":"a"},"partition":"a"}');
INSERT INTO "checks" VALUES('parts','not_a','b','20260102-030405-e21ae4','2026-01-02T03:04:55.584621+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":true,"metadata":{"partition":"b"},"partition":"b"}');
INSERT INTO "checks" VALUES('total','many','','20260102-030405-c9f730','2026-01-02T03:04:55.657384+00:00','1','{"event":"checked","asset":"total","check":"many","passed":false,"severity":"warn"}');
CREATE TABLE definition_sets (number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, at TEXT NOT NULL);
INSERT INTO "definition_sets" VALUES(1,'5b1c','2026-01-02T03:04:55.560000+00:00');
CREATE TABLE definitions (
        key TEXT NOT NULL, number INTEGER NOT NULL, body TEXT, PRIMARY KEY (key, number)) WITHOUT ROWID;
INSERT INTO "definitions" VALUES('parts',1,'["python","asset",{"code":{"parts":{},"version":"1"}}]');
INSERT INTO "definitions" VALUES('total',1,'["python","asset",{"code":{"parts":{},"version":"1"}}]');
CREATE TABLE documents (
        space TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (space, key)) WITHOUT ROWID;
CREATE TABLE durations (key TEXT PRIMARY KEY, seconds TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "durations" VALUES('parts','    0.008,    0.000,');
INSERT INTO "durations" VALUES('total','    0.000,');
CREATE TABLE events (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, at TEXT NOT NULL, invocation TEXT, body TEXT NOT NULL);
INSERT INTO "events" VALUES(1,'20260102-030405-e21ae4','2026-01-02T03:04:55.573390+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1,"partitions":1}');
INSERT INTO "events" VALUES(2,'20260102-030405-e21ae4','2026-01-02T03:04:55.573694+00:00','1','{"event":"invocation_started","kind":"python","assets":["parts"],"command":"__main__.parts()","partitions":1}');
INSERT INTO "events" VALUES(3,'20260102-030405-e21ae4','2026-01-02T03:04:55.576003+00:00','1','{"event":"started","asset":"parts","partition":"b"}');
INSERT INTO "events" VALUES(4,'20260102-030405-e21ae4','2026-01-02T03:04:55.584430+00:00','1','{"event":"materialized","asset":"parts","partition":"b","data_version":"19c46167d7ad68cead2d4f5b8eb3dcad","metadata":{"type":"str","io":"project"}}');
INSERT INTO "events" VALUES(5,'20260102-030405-e21ae4','2026-01-02T03:04:55.584621+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":true,"metadata":{"partition":"b"},"partition":"b"}');
INSERT INTO "events" VALUES(6,'20260102-030405-e21ae4','2026-01-02T03:04:55.584633+00:00','1','{"event":"invocation_finished","state":"succeeded","seconds":0.012}');
INSERT INTO "events" VALUES(7,'20260102-030405-e21ae4','2026-01-02T03:04:55.586604+00:00',NULL,'{"event":"run_finished","state":"succeeded","seconds":0.049,"counts":{"materialized":1,"checks_passed":1}}');
INSERT INTO "events" VALUES(8,'20260102-030405-93a49c','2026-01-02T03:04:55.614568+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1,"partitions":1}');
INSERT INTO "events" VALUES(9,'20260102-030405-93a49c','2026-01-02T03:04:55.614764+00:00','1','{"event":"invocation_started","kind":"python","assets":["parts"],"command":"__main__.parts()","partitions":1}');
INSERT INTO "events" VALUES(10,'20260102-030405-93a49c','2026-01-02T03:04:55.616975+00:00','1','{"event":"started","asset":"parts","partition":"a"}');
INSERT INTO "events" VALUES(11,'20260102-030405-93a49c','2026-01-02T03:04:55.617275+00:00','1','{"event":"materialized","asset":"parts","partition":"a","data_version":"19c46167d7ad68cead2d4f5b8eb3dcad","metadata":{"type":"str","io":"project"}}');
INSERT INTO "events" VALUES(12,'20260102-030405-93a49c','2026-01-02T03:04:55.617384+00:00','1','{"event":"checked","asset":"parts","check":"not_a","passed":false,"metadata":{"partition":"a"},"partition":"a"}');
INSERT INTO "events" VALUES(13,'20260102-030405-93a49c','2026-01-02T03:04:55.617395+00:00','1','{"event":"invocation_finished","state":"failed","seconds":0.004}');
INSERT INTO "events" VALUES(14,'20260102-030405-93a49c','2026-01-02T03:04:55.621124+00:00',NULL,'{"event":"run_finished","state":"failed","seconds":0.011,"counts":{"materialized":1,"checks_failed":1}}');
INSERT INTO "events" VALUES(15,'20260102-030405-c9f730','2026-01-02T03:04:55.653206+00:00',NULL,'{"event":"run_started","assets":1,"invocations":1}');
INSERT INTO "events" VALUES(16,'20260102-030405-c9f730','2026-01-02T03:04:55.653317+00:00','1','{"event":"invocation_started","kind":"python","assets":["total"],"command":"__main__.total()"}');
INSERT INTO "events" VALUES(17,'20260102-030405-c9f730','2026-01-02T03:04:55.657013+00:00','1','{"event":"started","asset":"total"}');
INSERT INTO "events" VALUES(18,'20260102-030405-c9f730','2026-01-02T03:04:55.657290+00:00','1','{"event":"materialized","asset":"total","data_version":"12a3314a73ecbbb45f9c04a4118a5d31","metadata":{"type":"int","io":"project"}}');
INSERT INTO "events" VALUES(19,'20260102-030405-c9f730','2026-01-02T03:04:55.657384+00:00','1','{"event":"checked","asset":"total","check":"many","passed":false,"severity":"warn"}');
INSERT INTO "events" VALUES(20,'20260102-030405-c9f730','2026-01-02T03:04:55.657394+00:00','1','{"event":"invocation_finished","state":"succeeded","seconds":0.004}');
INSERT INTO "events" VALUES(21,'20260102-030405-c9f730','2026-01-02T03:04:55.661029+00:00',NULL,'{"event":"run_finished","state":"succeeded","seconds":0.015,"counts":{"materialized":1,"checks_warned":1}}');
CREATE TABLE handles (
        run TEXT NOT NULL, invocation TEXT NOT NULL, token TEXT NOT NULL,
        PRIMARY KEY (run, invocation)) WITHOUT ROWID;
CREATE TABLE latest (
        key TEXT NOT NULL, partition TEXT NOT NULL, materialization INTEGER, attempt TEXT,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
INSERT INTO "latest" VALUES('parts','a',2,'20260102-030405-93a49c');
INSERT INTO "latest" VALUES('parts','b',6,'20260102-030405-e21ae4');
INSERT INTO "latest" VALUES('total','',5,'20260102-030405-c9f730');
CREATE TABLE "leases" (
        key TEXT NOT NULL, run TEXT NOT NULL, parts TEXT, PRIMARY KEY (key, run)) WITHOUT ROWID;
CREATE TABLE looks (
        key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, data_version TEXT NOT NULL, as_of TEXT NOT NULL,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
INSERT INTO "looks" VALUES('total','','2026-01-02T05:00:00+00:00','12a3314a73ecbbb45f9c04a4118a5d31','2026-01-02T04:30:00+00:00');
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "marks" VALUES('forgotten',1);
INSERT INTO "marks" VALUES('revision',6);
CREATE TABLE materializations (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, run TEXT NOT NULL,
        data_version TEXT NOT NULL, code_version TEXT, seconds REAL, trace TEXT, as_of TEXT);
INSERT INTO "materializations" VALUES(1,'parts','b','2026-01-02T03:04:55.584430+00:00','20260102-030405-e21ae4','19c46167d7ad68cead2d4f5b8eb3dcad','1',0.008427,'{"code_parts":{"code_version":"1"},"metadata":{"type":"str","io":"project"}}',NULL);
INSERT INTO "materializations" VALUES(2,'parts','a','2026-01-02T03:04:55.617275+00:00','20260102-030405-93a49c','19c46167d7ad68cead2d4f5b8eb3dcad','1',0.0003,'{"code_parts":{"code_version":"1"},"metadata":{"type":"str","io":"project"}}','2026-01-02T03:00:00+00:00');
INSERT INTO "materializations" VALUES(3,'total','','2026-01-02T03:04:55.657290+00:00','20260102-030405-c9f730','12a3314a73ecbbb45f9c04a4118a5d31','1',0.000277,'{"inputs":{"parts":"sum:bad75c6f424e497c9ae776438bd75b56"},"code_parts":{"code_version":"1"},"metadata":{"type":"int","io":"project"}}',NULL);
INSERT INTO "materializations" VALUES(4,'parts','b','2026-01-02T03:04:55.584430+00:00','20260102-030405-e21ae4','19c46167d7ad68cead2d4f5b8eb3dcad','2',0.008427,'{"code_parts":{"code_version":"2"},"metadata":{"type":"str","io":"project"},"accepted":["1",null]}',NULL);
INSERT INTO "materializations" VALUES(5,'total','','2026-01-02T03:04:55.657290+00:00','20260102-030405-c9f730','12a3314a73ecbbb45f9c04a4118a5d31','2',0.000277,'{"inputs":{"parts":"sum:bad75c6f424e497c9ae776438bd75b56"},"code_parts":{"code_version":"2"},"metadata":{"type":"int","io":"project"},"accepted":["1",null]}',NULL);
INSERT INTO "materializations" VALUES(6,'parts','b','2026-01-02T03:04:55.584430+00:00','20260102-030405-e21ae4','19c46167d7ad68cead2d4f5b8eb3dcad','1',0.008427,'{"code_parts":{"code_version":"1"},"metadata":{"type":"str","io":"project"}}',NULL);
CREATE TABLE partition_keys (
        key TEXT NOT NULL, partition TEXT NOT NULL, number INTEGER NOT NULL, dropped INTEGER NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
INSERT INTO "partition_keys" VALUES('files','x.csv',0,1,'2026-01-02T03:04:09.533163+00:00');
INSERT INTO "partition_keys" VALUES('files','y.csv',1,0,'2026-01-02T03:04:09.517409+00:00');
CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, started TEXT NOT NULL,
        finished TEXT, assets TEXT NOT NULL, options TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
        owner TEXT NOT NULL, expires TEXT NOT NULL, pruned TEXT, definitions TEXT, token INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0, wanted TEXT);
INSERT INTO "runs" VALUES(1,'20260102-030405-e21ae4','succeeded','2026-01-02T03:04:55.537020+00:00','2026-01-02T03:04:55.586604+00:00','["parts"]','{"partition":["b"],"select":"parts","exclude":null,"full_refresh":false,"stale":false,"wants":{"parts":[["b","b"]]}}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:55.569434+00:00',NULL,NULL,0,0,NULL);
INSERT INTO "runs" VALUES(2,'20260102-030405-93a49c','failed','2026-01-02T03:04:55.609489+00:00','2026-01-02T03:04:55.621124+00:00','["parts"]','{"partition":["a"],"select":"parts","exclude":null,"full_refresh":false,"stale":false,"wants":{"parts":[["a","a"]]}}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:55.613373+00:00',NULL,NULL,0,0,NULL);
INSERT INTO "runs" VALUES(3,'20260102-030405-c9f730','succeeded','2026-01-02T03:04:55.645550+00:00','2026-01-02T03:04:55.661029+00:00','["total"]','{"partition":[],"select":"total","exclude":null,"full_refresh":false,"stale":false,"wants":{}}',1398,'shop-1','{"pid":1398,"host":"shop-1"}','2026-01-02T03:04:55.649466+00:00',NULL,'5b1c',0,0,NULL);
CREATE TABLE slots (
        run TEXT NOT NULL, ticket TEXT NOT NULL, pool TEXT NOT NULL, weight INTEGER NOT NULL, most INTEGER NOT NULL,
        priority INTEGER NOT NULL, since TEXT NOT NULL, held INTEGER NOT NULL,
        PRIMARY KEY (run, ticket, pool)) WITHOUT ROWID;
CREATE INDEX events_run ON events (run, id);
CREATE INDEX attempts_unmade ON attempts (key) WHERE outcome <> 'materialized';
CREATE INDEX accepted_key ON accepted (key);
CREATE UNIQUE INDEX partition_numbers ON partition_keys (key, number);
CREATE INDEX runs_living ON runs (number) WHERE state IN ('running', 'queued');
CREATE INDEX leases_run ON leases (run);
CREATE INDEX runs_interrupted ON runs (number) WHERE state = 'interrupted';
COMMIT;
