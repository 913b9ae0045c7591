"""Tests of `assetry_dbt.manifest.text`: comments and layout are nothing, all else counts."""

from __future__ import annotations

import pytest
from assetry_dbt.manifest.text import COMPUTED, Mention, Reader, python_text

READER = Reader("duckdb")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 1 as a", "-- who wrote this\n\nselect 1 as a  /* one */\n"),
        ("select a, b from t", "select\n    a\n  , b\nfrom t\n"),
        ("select count(*) from (select 1)", "select count( * ) from ( select 1 )"),
        ("select {{ cents('a') }}", 'select {{cents( "a" )}}'),
        ("{{ config(materialized='table') }}\nselect 1", "{{ config(tags=['a'], meta={'a': {'b': ')'}}) }} select 1"),
        ("select 1", "{# a 'quote #}select 1 -- it's {# b #}"),
        ("select 'a -- b' as a", "select 'a -- b' /* 'c */ as a"),
        ("select 'it''s' as a", "select   'it''s'   as a"),
        ("select {{ f({'a': {'b': '}}'}}) }}", "select {{ f({ 'a': {'b': '}}'} }) }}"),
        ("{% if a %} select 1 {% endif %}", "{%if a%}\n  select 1\n{%  endif  %}\n"),
    ],
)
def test_comments_and_layout_are_nothing(one: str, other: str) -> None:
    assert READER.model(one).plain == READER.model(other).plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select ' a'", "select 'a'"),
        ("select 'a  b'", "select 'a b'"),
        ('select 1 as "a  b"', 'select 1 as "a b"'),
        ("select $$a  b$$", "select $$a b$$"),
        ("select $x$a -- b$x$", "select $x$a -- c$x$"),
        ("select a b", "select ab"),
        ("select 1 /* {{ f() }} */", "select 1 /* {{ g() }} */"),
        ("-- {{ a }} b", "-- {{ a }}\n b"),
        ("-- {% if a %}\nselect 1\n-- {% endif %}", "select 1"),
        ("{% set x %}a  b{% endset %}select '{{ x }}'", "{% set x %}a b{% endset %}select '{{ x }}'"),
        ("select /*+ broadcast(a) */ 1", "select /*+ broadcast(b) */ 1"),
        ("select 'it\\'s', 1 -- a'", "select 'it\\'s', 1 -- b'"),
        ("select 'a", "select  'a"),
        ("select {{ x }}y", "select {{ x }} y"),
        ("select {{ x -}} ' '", "select {{ x }} ' '"),
        ("select {{ 'a b' }}", "select {{ 'a  b' }}"),
        ("{{ config(a=1) ~ f(1) }}", "{{ config(a=1) ~ f(2) }}"),
        ("{% raw %}{{ a }}{% endraw %}", "{% raw %}{{ b }}{% endraw %}"),
        ("select a -1", "select a - 1 -- 1"),
    ],
)
def test_all_else_counts(one: str, other: str) -> None:
    assert READER.model(one).plain != READER.model(other).plain


def test_two_dashes_are_no_comment_everywhere() -> None:
    assert Reader("mysql").model("select 1 --1").plain != Reader("mysql").model("select 1 --2").plain
    assert (
        Reader("bigquery").model("# it's\nselect  'a  b'").plain
        != Reader("bigquery").model("# it's\nselect  'a b'").plain
    )


def test_a_macro_may_end_up_in_quotes() -> None:
    same = [
        "{% macro a(b) %}\n  select 1\n{% endmacro %}",
        "{% macro a(b) %}\n\n    -- c\n    select 1\n{% endmacro %}",
    ]
    assert len({READER.macro(text).plain for text in same}) == 1
    other = ["{% macro a() %} eu {% endmacro %}", "{% macro a() %}eu{% endmacro %}"]
    assert len({READER.macro(text).plain for text in other}) == 2
    assert len({READER.in_quotes(text) for text in same}) == 2
    assert READER.in_quotes("a{# b #}c{#- d -#}") == "ac{#- d -#}"


@pytest.mark.parametrize(
    ("tag", "mentions"),
    [
        ("{{ var('a') }}", {("var", "a")}),
        ("{{ var ( 'a' , 1 ) | int }}", {("var", "a")}),
        ("{% if var.has_var('a') %}", {("var", "a")}),
        ("{{ builtins.var('a') }}", {("var", "a")}),
        ("{{ var('a' ~ 'b') }}", {("var", COMPUTED), ("literal", "a"), ("literal", "b")}),
        ("{{ var(x) }}", {("var", COMPUTED), ("name", "x")}),
        ("{% for var in a %}", {("name", "a")}),
        ("{{ env_var(var='A') }}", {("env_var", "A")}),
        ("{{ env_var(default='9', var='A') }}", {("env_var", "A")}),
        ("{{ var(default='9', name=x) }}", {("var", COMPUTED), ("name", "x"), ("literal", "9")}),
        ("{{ builtins['var']('k') }}", {("var", "k")}),
        ("{{ builtins.get('env_var')('K') }}", {("env_var", "K")}),
        ("{% set b = builtins %}", {("var", COMPUTED), ("env_var", COMPUTED)}),
        ("{% set v = var %}", {("var", COMPUTED)}),
        ("{{ context['var']('k') }}", {("var", "k")}),
        ("{{ context['f']() }}", {("name", "context")}),
        ("{{ shop['f']() }}", {("name", "shop")}),
        ("{{ target.threads }}", {("name", "target.threads")}),
        ("{{ target['threads'] }}{{ target.get('port') }}", {("name", "target.threads"), ("name", "target.port")}),
        ("{{ invocation_args_dict['vars'].get('z') }}", {("var", COMPUTED)}),
        ("{{ target }}", {("name", "target.*")}),
        ("{{ f(cents=1) == g }}", {("name", "f"), ("name", "g")}),
        ("{{ 'f()' }}", set()),
        ("{{ adapter.dispatch(macro_name='f', macro_namespace='p')() }}", {("dispatch", "f")}),
        ("{{ config.get('a') }}", {("config", "a")}),
        ("{{ config.meta_get('a') }}", {("config", "meta")}),
        ("{{ config(a=1) if b }}", {("name", "b")}),
        ("{{ model['config']['meta'].a }}", {("model", "meta")}),
        ("{{ model.config.get('tags') }}", {("model", COMPUTED)}),
        ("{{ a.b().c }}", {("name", "a.b")}),
    ],
)
def test_what_jinja_asks_for(tag: str, mentions: set[Mention]) -> None:
    assert READER.model(tag).mentions == mentions


def test_a_model_in_python_is_its_code() -> None:
    one = python_text("def model(dbt, session):\n    return dbt.config.get('meta')")
    other = python_text("# a\ndef model(dbt, session):\n\n    return dbt.config.get(  'meta')")
    assert one == other
    assert one.mentions == {("config", "meta")}
