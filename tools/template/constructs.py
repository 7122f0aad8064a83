"""Small templates for each construct of the engine: (name, source, variables beside VARIABLES)."""

MESSAGES = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U1", "n": 3},
    {"role": "assistant", "content": "A1", "n": 1, "tool_calls": [{"id": 1}]},
    {"role": "user", "content": "U2", "n": 2},
]
PEOPLE = [{"name": "bob", "age": 30, "at": {"city": "Rome"}}, {"name": "Alice", "age": 25, "at": {"city": "oslo"}},
          {"name": "carl", "age": 30, "at": {"city": "Bern"}}]
V = {"messages": MESSAGES, "people": PEOPLE, "s": "  Hello, Wörld!  ", "n": 7, "f": 2.5, "t": True, "none": None, "l": [3, 1, 2],
     "d": {"b": 1, "a": [1, {"x": None}], "ü": "é"}, "e": [], "u": "ΑΒΓ ßtraße ЖЗ ŉ 世界 🌍 e\u0301", "mixed": "aB cD-eF (gH) i_j k1L", "q": "it's \"q\"\n\t\\ \u2028\x7f\x00",
     "big": 123456789012345678901234567890, "lines": "a\nb\r\nc\n\n d\x0be\u2028f", "sp": "\u3000\u2003 x \x1c\x1f\n"}
C = []


def add(name, source, **variables):
    C.append((name, source, variables))


def expressions(group, *sources):
    for i, source in enumerate(sources):
        add("%s/%d" % (group, i), "{{ " + source + " }}")


# White space control.
add("ws/trim", "a\n{% if t %}\nb\n{% endif %}\nc\n")
add("ws/lstrip", "  {% if t %}\n    b\n  {% endif %}\n  c")
add("ws/lstrip_text", "x {% if t %} b {% endif %} c")
add("ws/minus", "a \n {%- if t -%} \n b \n {%- endif -%} \n c")
add("ws/minus_print", "a \n {{- 'x' -}} \n b {{ 'y' }}\n\n{{ 'z' }}\n")
add("ws/plus", "a\n  {%+ if t +%}\n b\n  {%+ endif +%}\nc")
add("ws/comment", "a\n  {# c #}\n b {# d\n e #} f {#- g -#} h\n{#+ i +#}\nj")
add("ws/comment_empty", "a{##}b{#-#}c{#--#} d")
add("ws/raw", "a {% raw %} {{ x }} {% if %} {# #} {% endraw %} b\n{% raw %}\nc\n  {% endraw %}\nd")
add("ws/raw_minus", "a {%- raw -%} \n {{ x }} \n {%- endraw -%} \n b")
add("ws/final_newline", "a\n")
add("ws/final_newlines", "a\n\n\n")
add("ws/crlf", "a\r\n{% if t %}\r\nb\r\n{% endif %}\r\nc\rd\r\n")
add("ws/unicode", "a\u3000{%- if t -%}\u2003\u00a0b{% endif %}")
add("ws/after_block_same_line", "{% if t %}\n  {% if t %}\n  x\n  {% endif %}\n{% endif %}\ny")
add("ws/two_tags_a_line", "  {% set a = 1 %} {% set b = 2 %}\n{{ a }}{{ b }}")
add("ws/print_keeps_newline", "{{ 'a' }}\n{{ 'b' }}\n")
add("ws/empty", "")
add("ws/only_newline", "\n")
add("ws/braces", "{ { } } %} }} #} {a} {{ '{{' }} {{ '%}' }}")
add("ws/minus_number", "{{-1}} {{ -1 }} {{- -1 }}")

# Literals and printing.
expressions("literal", "1", "1.0", "1_000", "0x1F", "0b101", "0o17", "1e3", "1.5e-7", "1e16", "123456789.123", "0.1 + 0.2", "1e15", "100000000000000000000",
            "true", "True", "none", "None", "'a' \"b\" 'c'", "'\\n\\t\\\\\\'\\x41\\u00e9\\U0001F30D\\101\\q\\a'", "[]", "[1, 'a', none, 2.0, [true]]", "{}",
            "{'a': 1, 2: 'b', none: 3, true: 4}", "()", "(1,)", "(1, 2)", "1, 2", "'it\\'s'", "[\"it's\", 'a\"b', '\"\\'']", "q", "[q]", "[u]", "d", "big", "[big]", "-big if false else 1",
            "1.0e100", "2.0**70", "f", "[f, -0.0]", "'\\\n'", "[s.strip]|length", "\"a\\\"b\"")
# Operators.
expressions("op", "1 + 2 * 3 - 4", "7 // 2, -7 // 2, 7 // -2, 7 % 3, -7 % 3, 7 % -3", "7 / 2, 6 / 3", "2 ** 10, 2 ** -1, 2 ** 3 ** 2", "-2 ** 2", "7.5 // 2, -7.5 % 2, 7.5 % -2",
            "1 ~ 'a' ~ none ~ true ~ 1.5 ~ undefined_thing ~ [1]", "'a' + 'b' * 3", "3 * 'ab', 'ab' * 0, 'ab' * -1", "[1] + [2], [1] * 2", "(1,) + (2,)",
            "1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, 1 == true, '1' == 1", "'a' < 'b', 'B' < 'a', [1, 2] < [1, 3], 'é' > 'z'", "1 if t else 2", "1 if false", "1 if none else 2 if false else 3",
            "not t, not not t, not t or t, t and not none", "0 or 'x', '' and 1, none or e or 'z', 1 and 2", "'b' in d, 'z' in d, 'z' not in d, 3 in l, 'ell' in s, '' in ''", "1 in [1.0], true in [1], none in [none]",
            "t + t, t * 3, -t, +t", "1 + 1.5, 2 * 0.5", "not 1 == 2", "1 + 2 ~ 3 + 4", "10 - 2 - 3, 100 / 10 / 5, 2 * 3 % 4", "5 - -3, - -3", "d == {'b': 1, 'a': [1, {'x': none}], 'ü': 'é'}", "[1, 2] == [1, 2], (1,) == [1], [] == e",
            "s|length + 1, -n|abs", "n is odd and f is float", "'a' in ['a'] and 'b' not in ['a']", "9223372036854775807 - 1", "1 > 0 == true", "u > s, u == u", "none == none, undefined_a == undefined_b, none == undefined_a")
# Attribute, item, slice.
expressions("lookup", "d.b, d['b'], d.a[1].x, d['a'].0", "messages[0].role, messages[-1].content, messages[1]['content']", "messages[9] is defined, messages[-9] is defined, d.zz is defined, d['zz'] is defined", "d.items is defined, d.keys is callable",
            "l[1:], l[:1], l[:-1], l[-2:], l[::2], l[::-1], l[2:0:-1], l[5:], l[-9:9]", "u[0], u[-1], u[2:5], u[::-1], u[::3], u[:-3:-1]", "'abc'[1], 'abc'[5] is defined, 'abc'[-1]", "(1, 2, 3)[1:], (1,2,3)[::-1]", "messages[::-1]|map(attribute='content')|join",
            "d.get('b'), d.get('z'), d.get('z', 'dflt'), d.get('z') is none", "d.keys()|list, d.values()|list, d.items()|list", "d['b' ~ ''], d[1] is defined", "none.x is defined", "5 .x is defined", "messages[t].role", "l[none:2], l[1:none]", "'abc'['upper']()")
# Undefined.
expressions("undefined", "nope", "nope ~ 'x'", "nope.attr", "nope['x']", "nope()", "nope + 1", "d.nope.attr", "d.nope.x.y", "messages[9].role", "nope|length", "nope|upper", "nope|default('d')", "nope|default", "''|default('d'), ''|default('d', true), none|d(1), 0|d(2, boolean=true)",
            "nope|tojson", "nope|list", "nope|join(',')", "nope|items|list", "nope|first", "nope is defined, nope is undefined, nope is none, nope is string, nope is iterable, nope is mapping, nope is sequence, nope is true", "nope == ''", "not nope, nope or 1", "nope in 'abc'", "'a' in nope", "nope < 1", "-nope", "nope|int", "nope|string == ''", "d.nope", "l.nope", "'x'.nope", "'x'.nope()", "d.a.nope()", "nope is eq nope2", "[nope]", "nope|trim, nope|replace('a', 'b')", "nope[1:]", "none.x.y", "5 .x.y", "l[10].x", "d.b.c.d", "{'a': nope}|tojson", "nope * 2", "s ~ nope.x")
# Tests.
expressions("test", "1 is number, 1.0 is number, true is number, 'x' is number", "1 is integer, true is integer, 1.0 is integer, big is integer", "1.0 is float, 1 is float", "t is boolean, 1 is boolean, t is true, 1 is true, false is false", "s is string, l is string, none is string",
            "d is mapping, l is mapping, s is mapping", "l is sequence, d is sequence, s is sequence, 1 is sequence", "l is iterable, s is iterable, d is iterable, 1 is iterable, none is iterable", "none is none, 1 is not none, none is not none", "n is odd, n is even, n is divisibleby 7, n is divisibleby(2)", "1 is eq 1, 1 is equalto(2), 1 is ne 2, 1 is lt 2, 2 is gt 1, 1 is le 1, 1 is ge 2, 1 is greaterthan 0, 1 is lessthan 0",
            "'a' is in 'abc', 3 is in [1, 2], 'b' is in(d)", "'abc' is lower, 'ABC' is upper, 'aB' is lower, '1' is upper", "none is sameas none, 1 is sameas 1, true is sameas true", "'upper' is filter, 'nope' is filter, 'defined' is test", "raise_exception is callable, s is callable, range is defined", "x is not defined and t is defined", "not x is defined", "d.b is defined and d.b is not none", "'a' is string is defined", "n is nope")
# Filters.
expressions("filter", "s|trim, s|upper, s|lower, s|length, s|trim|capitalize, s|title", "u|upper, u|lower, u|title, u|capitalize, u|length", "mixed|title, mixed|capitalize, mixed.title(), mixed.swapcase()", "'--x--'|trim('-'), 'abxba'|trim('ab'), s|trim(none)", "5|string, none|string, [1]|string, 1.0|string",
            "l|join, l|join('-'), people|join(', ', attribute='name'), 'abc'|join('.')", "l|first, l|last, e|first, e|last, 'abc'|first, 'äé'|last, d|first", "l|sort, l|sort(reverse=true), ['b', 'A', 'c']|sort, ['b', 'A', 'c']|sort(case_sensitive=true)", "people|sort(attribute='age')|map(attribute='name')|list, people|sort(attribute='age,name')|map(attribute='name')|list, people|sort(reverse=true, attribute='age')|map(attribute='name')|list",
            "people|map(attribute='at.city')|list, people|map('length')|list, ['a']|map('upper')|list, [' a ']|map('trim')|map('replace', 'a', 'b')|list", "people|map(attribute='zip', default='none')|list", "people|selectattr('age', 'equalto', 30)|map(attribute='name')|list, people|rejectattr('age', 'gt', 26)|list|length, messages|selectattr('tool_calls')|list|length, messages|selectattr('tool_calls', 'defined')|list|length",
            "messages|rejectattr('role', 'in', ['system', 'user'])|map(attribute='content')|list", "[0, 1, '', 'a']|select|list, [0, 1, '', 'a']|reject|list, [1, 2, 3]|select('odd')|list, [1, 2, 3]|reject('==', 2)|list", "[1, 2, 1, 'a', 'A']|unique|list, ['a', 'A']|unique(case_sensitive=true)|list", "l|reverse|list, 'äbc'|reverse, e|reverse|list", "l|sum, people|sum(attribute='age'), [1.5]|sum(start=1)", "l|min, l|max, e|min is defined, people|max(attribute='age'), ['b', 'A']|min",
            "d|items|list, d|dictsort|list, {'b': 1, 'A': 2}|dictsort, {'b': 1, 'A': 2}|dictsort(true), {'b': 1, 'A': 2}|dictsort(by='value', reverse=true)", "d|length, l|count, s|count", "'42'|int, ' -7 '|int, '4.9'|int, 'x'|int, 'x'|int(5), '0x1f'|int(base=16), 'ff'|int(0, 16), 3.99|int, -3.99|int, true|int, none|int, '1_000'|int", "'1.5'|float, 'x'|float, 'x'|float(2.5), 3|float, 'inf'|float, '1e5'|float",
            "3.7|round, 2.5|round, 3.14159|round(2), 42|round, 2.1|round(0, 'ceil'), 2.9|round(method='floor'), 2.675|round(2), 1e20|round", "-5|abs, 5.5|abs, -0.5|abs", "'a\\nb\\n\\nc'|indent, 'a\\nb'|indent(2, true), 'a\\n\\nb'|indent(1, blank=true), 'a\\nb'|indent('> '), ''|indent(2, true), 'a\\n'|indent", "'aaa'|replace('a', 'b'), 'aaa'|replace('a', 'b', 2), 'abc'|replace('', '-'), 5|replace(5, 6)", "s|safe ~ (5|safe)", "'abc'|list, d|list, l|list, (1, 2)|list", "[1, 2, 3, 4, 5]|batch(2)|list, [1, 2, 3]|batch(2, 'x')|list",
            "'a b  c_d é-f'|wordcount", "'foo bar baz qux'|truncate(9), 'foo bar baz qux'|truncate(9, true), 'foo bar baz qux'|truncate(11), 'foo bar baz qux'|truncate(11, false, '!', 0)", "-1|abs + 1, (1 + 2)|string ~ 'x'", "none|trim, 5|upper, true|lower", "none|length", "5|list", "5|items|list", "5|first", "l|join(1)", "[[1], 2]|sort", "[3, 'a']|min", "s|nope", "s|trim|length > 3", "s.strip()|length", "['x', 'y']|map('nope')|list", "[1]|select('nope')|list")
# tojson.
expressions("tojson", "d|tojson", "q|tojson", "u|tojson", "[1, 1.0, 1e16, 1e-7, -0.0, 1e22, true, none, big, '']|tojson", "{}|tojson, []|tojson, ''|tojson", "d|tojson(indent=2)", "[]|tojson(indent=2), {}|tojson(indent=2), [[], {}]|tojson(indent=1)", "u|tojson(ensure_ascii=true)", "d|tojson(separators=(',', ':'))", "{'b': 1, 'a': {'d': 1, 'c': 2}}|tojson(sort_keys=true)", "d|tojson(indent='--')", "(1, 2)|tojson", "{1: 'a', none: 'b', true: 'c', 1.5: 'd'}|tojson", "'<b>&\\'</b>'|tojson", "raise_exception|tojson", "messages|tojson(indent=4)", "d|tojson|length", "[nope]|tojson", "{'a': 1}|tojson(indent=0)", "d|tojson(indent=2, separators=(', ', ' : '))")
# String methods.
expressions("method", "s.strip(), s.lstrip(), s.rstrip(), sp.strip(), sp.lstrip() ~ '|', sp.rstrip() ~ '|'", "'xxaxx'.strip('x'), 'xyax'.lstrip('yx'), 'axy'.rstrip('xy'), 'äöä'.strip('ä')", "'a,b,,c'.split(','), 'a,b,c'.split(',', 1), 'abc'.split('x'), ''.split(','), 'a--b'.split('--')", "' a  b '.split(), ''.split(), 'a b c'.split(none, 1), ' a b  c '.split(maxsplit=1)", "'a,b,c'.rsplit(',', 1), '  a b  c '.rsplit(none, 1), 'a b'.rsplit()",
            "lines.splitlines(), ''.splitlines(), '\\n'.splitlines()", "'abc'.startswith('ab'), 'abc'.endswith('bc'), 'abc'.startswith(('x', 'a')), 'abc'.startswith(''), 'abc'.startswith('b', 1), 'abc'.endswith('b', 0, 2)", "'aXbX'.replace('X', '-'), 'aXbX'.replace('X', '-', 1), 'ab'.replace('', '.')", "u.upper(), u.lower(), u.title(), u.capitalize(), u.swapcase()", "'abcb'.find('b'), 'abcb'.rfind('b'), 'abc'.find('x'), 'äöü'.find('ü'), 'abc'.index('c'), 'abab'.count('ab'), 'abc'.count('')", "'abc'.index('x')", "'-'.join(['a', 'b']), ''.join([]), ', '.join(d)",
            "'-'.join([1])", "'abc'.isalpha(), 'a1'.isalnum(), '12'.isdigit(), ' \\t'.isspace(), ''.isalpha(), 'aB'.islower(), 'AB'.isupper(), '٣'.isdigit()", "'a=b=c'.partition('='), 'abc'.partition('='), 'a=b=c'.rpartition('='), 'abc'.rpartition('=')", "'prefix'.removeprefix('pre'), 'x.py'.removesuffix('.py'), 'x'.removeprefix('y')", "'ab'.ljust(4) ~ '|', 'ab'.rjust(4, '.'), 'ab'.ljust(1)", "'a'.split('')", "'x'.strip(1)", "s.strip().split(',')[0].upper()", "('a' ~ 'b').upper(), 'x'.upper().lower()", "5 .upper()", "l.index(1), l.count(3)", "l.index(9)", "l.append(4)", "d.update({'x': 1})", "d.pop('b')", "'a b'.split(sep=' ')", "'abc'.nope", "none.strip()", "'<think>\\nr\\n</think>\\n\\na'.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n')")
# For loops.
add("for/loop", "{% for m in messages %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.first }}/{{ loop.last }}/{{ loop.length }}:{{ m.role }}{% if loop.previtem is defined %}<{{ loop.previtem.role }}{% endif %}{% if loop.nextitem is defined %}>{{ loop.nextitem.role }}{% endif %};{% endfor %}")
add("for/else", "{% for x in e %}{{ x }}{% else %}none{% endfor %}{% for x in nope %}a{% else %}b{% endfor %}{% for x in [1] %}{{ x }}{% else %}no{% endfor %}")
add("for/filter", "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ m.content }}{{ loop.last }}{% else %}x{% endfor %}{% for m in messages if false %}{% else %}none{% endfor %}")
add("for/unpack", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d|items %}{{ k }}{% endfor %}{% for (a, b), c in [((1, 2), 3), ([4, 5], 6)] %}{{ a }}{{ b }}{{ c }} {% endfor %}")
add("for/unpack_bad", "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}")
add("for/unpack_int", "{% for a, b in [1] %}{{ a }}{% endfor %}")
add("for/dict", "{% for k in d %}{{ k }}{% endfor %}")
add("for/string", "{% for c in u %}[{{ c }}]{% endfor %}")
add("for/none", "\n{% for c in none %}{% endfor %}")
add("for/int", "{% for c in 5 %}{% endfor %}")
add("for/break", "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}")
add("for/break_outside", "{% break %}")
add("for/nested", "{% for a in [1, 2] %}{% for b in [3, 4] %}{{ loop.index }}{{ loop.depth }}{{ a }}{{ b }}{% if b == 3 %}{% continue %}{% endif %};{% endfor %}{{ loop.index }}{% endfor %}")
add("for/scope", "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}")
add("for/target_scope", "{% set i = 9 %}{% for i in [1, 2] %}{{ i }}{% endfor %}{{ i }}{% for z in [1] %}{% endfor %}{{ z is defined }}")
add("for/outer_loop", "{% for a in [1, 2] %}{% set outer = loop %}{% for b in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}")
add("for/tuple", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}{% for x in [1] + [2] %}{{ x }}{% endfor %}{% for m in messages[1:] %}{{ m.role }}{% endfor %}")
add("for/range", "{% for x in range(3) %}{{ x }}{% endfor %}{% for x in range(5, 0, -2) %}{{ x }}{% endfor %}{% for x in range(2, 4) %}{{ x }}{% endfor %}{{ range(0)|list }}{{ range(3)|list }}{{ range(-1)|length }}")
add("for/range_big", "{% for x in range(1000000) %}{% endfor %}")
add("for/range_zero", "{{ range(1, 2, 0) }}")
add("for/ternary_in", "{% for x in ([1] if t else [2]) %}{{ x }}{% endfor %}")
add("for/loop_in_filter", "{% for x in [1,2,3,4] if x is odd %}{{ loop.index0 }}:{{ x }},{{ loop.length }} {% endfor %}")
# If.
add("if/elif", "{% for x in [1, 2, 3, 4] %}{% if x == 1 %}one{% elif x == 2 %}two{% elif x == 3 %}three{% else %}many{% endif %} {% endfor %}")
add("if/truth", "{% for x in [0, 1, '', 'a', none, [], [0], {}, {'a': 1}, 0.0, 0.1, true, false] %}{{ 1 if x else 0 }}{% endfor %}")
add("if/scope", "{% if t %}{% set x = 1 %}{% endif %}{{ x }}{% if false %}{% set y = 1 %}{% endif %}{{ y is defined }}")
add("if/ternary", "{% if (1 if t else 0) %}a{% endif %}")
add("if/not_paren", "{% if not(s.startswith('x') and s.endswith('y')) %}a{% endif %}")
# Set.
add("set/tuple", "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set (x, y) = [3, 4] %}{{ x }}{{ y }}")
add("set/block", "{% set x %}a{{ n }} b\n{% endset %}[{{ x }}]{% set y | upper | trim %} q {{ n }} {% endset %}[{{ y }}]")
add("set/namespace", "{% set ns = namespace(a=1, b='x') %}{% for i in [1, 2, 3] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{% set ns.c = [ns.a] %}{{ ns.c }}")
add("set/namespace_dict", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}")
add("set/not_namespace", "{% set d.x = 1 %}")
add("set/undefined_namespace", "\n\n{% set nope.x = 1 %}")
add("set/namespace_missing", "{% set ns = namespace() %}{{ ns.x }}|{{ ns.x is defined }}")
add("set/constant", "{% set true = 1 %}")
add("set/shadow", "{% set messages = messages[1:] %}{{ messages|length }}")
add("set/block_scope", "{% set x %}{% set inner = 1 %}{% endset %}{{ inner is defined }}")
# Macros.
add("macro/defaults", "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='y') }} {{ m(b=5, a=4) }} {{ m() }}")
add("macro/too_many", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}")
add("macro/unknown", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}")
add("macro/recursive", "{% macro m(x) %}{{ x }}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(5) }}")
add("macro/closure", "{% set g = 1 %}{% macro m() %}{{ g }}{% set g = 2 %}{% endmacro %}{{ m() }}{{ g }}{% set g = 3 %}{{ m() }}")
add("macro/in_loop", "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}")
add("macro/ns", "{% set ns = namespace(n=0) %}{% macro inc() %}{% set ns.n = ns.n + 1 %}{% endmacro %}{{ inc() }}{{ inc() }}{{ ns.n }}")
add("macro/undefined_arg", "{% macro m(a) %}{{ a is defined }}{{ a.b }}{% endmacro %}{{ m() }}")
add("macro/value", "{% macro m() %} x {% endmacro %}{{ m()|trim ~ '!' }}{{ m()|length }}{{ m().strip() }}{{ m is callable }}{{ m.name }}")
add("macro/default_uses_arg", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}")
add("macro/call_block", "{% macro box(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call box('b') %}inner {{ n }}{% endcall %}")
add("macro/call_block_args", "{% macro each(l) %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) each([1, 2]) %}[{{ x }}]{% endcall %}")
add("macro/not_called", "{% macro m() %}{{ nope.x }}{% endmacro %}ok")
add("macro/loop_hidden", "{% macro m() %}{{ loop is defined }}{% endmacro %}{% for x in [1] %}{{ m() }}{% endfor %}")
add("macro/whitespace", "{%- macro m(x) %}\n    {%- if x %}\n        {{- x }}\n    {%- endif %}\n{%- endmacro %}\n[{{ m('a') }}][{{- m('b') -}}]")
# Blocks.
add("filter_block", "{% filter upper %}a{{ n }}b{% endfilter %}{% filter trim|replace('x', 'y') %} xx {% endfilter %}")
add("with", "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a }}{{ c is defined }}{% with %}x{% endwith %}")
add("generation", "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}")
add("print_tag", "{% print n %}")
# raise_exception and globals.
add("raise/plain", "a{{ raise_exception('No: ' ~ n) }}b")
add("raise/in_macro", "{% macro m() %}{{ raise_exception('deep') }}{% endmacro %}\n{% if t %}{{ m() }}{% endif %}")
add("raise/unicode", "{{ raise_exception('Ünïcödé\\n\"x\"') }}")
add("raise/number", "{{ raise_exception(5) }}")
add("raise/not_reached", "{% if false %}{{ raise_exception('x') }}{% endif %}ok")
add("raise/no_argument", "{{ raise_exception() }}")
add("dict_function", "{{ dict(a=1, b='x') }}{{ dict({'a': 1}, c=2) }}{{ dict() }}")
# Errors of syntax; the line is recorded.
for i, source in enumerate(("{{ }}", "{{ 1 + }}", "{% if %}{% endif %}", "{% if t %}", "a\nb\n{% for x in %}{% endfor %}", "{{ 'abc }}", "{{ (1 }}", "{{ 1) }}", "{% endif %}", "{% nope %}", "{{ a b }}", "{# never closed", "{% raw %} x", "\n\n{{ [1, 2 }}", "{% set x %}a", "{{ x|}}", "{{ x is }}", "{{ 1 is number is string }}",
                            "{% for x, in %}{% endfor %}", "{% macro %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{{ f(a=1, 2) }}", "{{ x.1a }}", "{{ $ }}", "{{ a ? b : c }}", "{% if a = 1 %}{% endif %}", "{{ {'a' 1} }}", "{% else %}", "{% for x in l %}{% elif %}{% endfor %}", "{{ a &&  b }}", "{% set 1 = 2 %}", "{{ 'a' 1 }}", "{{ \"\\x4\" }}")):
    add("syntax/%d" % i, source)
# Type errors at run time.
expressions("type", "1 + 'a'", "'a' + 1", "'a' + none", "[1] + (2,)", "1 / 0", "1 // 0", "1 % 0", "1.0 / 0", "'a' * 'b'", "none + 1", "1 < 'a'", "[1] < none", "1 in 5", "1 in 'abc'", "-'a'", "l()", "s()", "{[1]: 2}", "{}[[1]]", "l['a']", "d.b()", "5[0]", "d[1:2]", "1 .real is defined or true")
# What published templates do.
add("published/chatml", "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}", add_generation_prompt=True)
add("published/llama2", "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}", bos_token="<s>", eos_token="</s>")
add("published/date", "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}26 Jul 2024{% endif %}")
add("published/json_type", "{%- macro render(p) -%}{%- for k, v in p.items() %}{{ k }}: {% if v is mapping %}{ {{- render(v) -}} }{% elif v is string %}\"{{ v }}\"{% elif v is iterable %}[{% for x in v %}{{ x }}{{ ', ' if not loop.last else '' }}{% endfor %}]{% else %}{{ v }}{% endif %}{{ '; ' if not loop.last }}{%- endfor %}{%- endmacro %}{{ render({'a': {'b': 1, 'c': 'x'}, 'l': [1, 2], 'n': none}) }}")
add("published/last_user", "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{{ ns.last }}{{ messages[ns.last].content }}")
add("published/reject_join", "{{ messages | rejectattr('role', 'equalto', 'system') | map(attribute='content') | map('trim') | join('\\n') }}")

CONSTRUCTS = C
VARIABLES = V
