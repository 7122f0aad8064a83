"""The table of (template, values) pairs: every filter, test, method and operator over every kind of value."""
import itertools
import re


def listed(text):
    """The items of a list, which may hold white space within brackets."""
    return re.findall(r"(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s()])+", text)


# What `v` is, by name; "undefined" leaves it out.
VALUES = {
    "words": "hello World foo",
    "empty": "",
    "spaces": " \t a  b\u3000\n",
    "unicode": "Ünï 世界 🌍 e\u0301",
    "hard_case": "ǅ ß ŉ ΑΣ İ ﬁ",
    "quotes": "it's \"q\" \\n",
    "html": "<b a='1'>&amp;</b>",
    "digits": "12",
    "number_text": " -3.5 ",
    "hex_text": "0x1F",
    "commas": "a,b,,c",
    "lines": "l1\nl2\r\n\n  x\x0by\u2028z",
    "controls": "\x00\x1b\x7f\u00a0\u200b\ufeff",
    "zero": 0,
    "one": 1,
    "seven": 7,
    "minus_seven": -7,
    "int_53": 9007199254740993,
    "int_max": 9223372036854775807,
    "big": 123456789012345678901234567890,
    "float_zero": 0.0,
    "half": 2.5,
    "tiny": -1e-7,
    "huge": 1e16,
    "three": 3.0,
    "true": True,
    "false": False,
    "none": None,
    "no_items": [],
    "ints": [3, 1, 2],
    "texts": ["b", "A", "c", "a"],
    "pairs": [["x", 1], ["y", 2]],
    "mixed": [1, "a", None, 2.5, True],
    "no_keys": {},
    "dict": {"b": 1, "a": [1, {"x": None}], "ü": "é\n"},
    "records": [{"k": "u", "n": 2, "in": {"z": 1}}, {"k": "A", "n": 1}, {"k": "a", "n": 2}],
}
# Both sides of an operator, and a value and its argument: fewer, as they are paired.
SIDES = ["words", "empty", "digits", "unicode", "zero", "seven", "minus_seven", "int_max", "big", "half", "true", "none", "no_items", "ints", "texts", "dict", "undefined"]

FILTERS = listed("""abs capitalize count d default dictsort first float indent int items join last length list lower max min
reject reverse round safe select sort string sum title tojson trim truncate unique upper wordcount""")
FILTER_CALLS = listed("""default('x') default('x', true) d(v, boolean=true) dictsort(true) dictsort(by='value') dictsort(reverse=true) dictsort(false,'key',true)
float(1) float('x') indent(2) indent(2,true) indent(1,blank=true) indent('--') int(5) int('x') int(base=16) int(0,8) join(',') join('-',attribute='k') join(1) join(none)
max(attribute='n') min(attribute='k') max(case_sensitive=true) map('upper')|list map('string')|list map(attribute='k')|list map(attribute='n',default=0)|list map(attribute=0)|list map('length')|list
map('default','x')|list map('int')|join(',') map('replace','a','b')|list map('tojson')|list map('trim')|list map('items')|list map('join','+')|list map('first')|list map(attribute='in.z')|list map()|list map('nope')|list map(1)|list
reject|list select|list select('string')|list reject('none')|list select('gt',1)|list select('in',[1,'a'])|list select('equalto','a')|list select('odd')|list reject('mapping')|list select('nope')|list select(1)|list
selectattr('k')|list selectattr('k','equalto','A')|list rejectattr('k','in',['a','u'])|list selectattr('n','>',1)|list rejectattr('z')|list selectattr('in.z','defined')|list selectattr('in','undefined')|list selectattr(0)|list selectattr()|list selectattr('k','string')|map(attribute='n')|sum
replace('a','b') replace('a','') replace('','.') replace('l','L',1) replace(1,2) replace('a') replace('a','b',0) round(1) round(2,'floor') round(method='ceil') round(0,'nope') reverse|list
sort(reverse=true) sort(case_sensitive=true) sort(attribute='n') sort(attribute='n,k') sort(attribute=0) sum(attribute='n') sum(start=10) sum(attribute=1)
tojson(indent=2) tojson(ensure_ascii=true) tojson(sort_keys=true) tojson(separators=(',',':')) tojson(indent=0) tojson(indent='>') tojson(indent=1,sort_keys=true) tojson|length trim('a') trim('l ') trim(none) trim(1)
truncate(5) truncate(5,true) truncate(4,true,'') truncate(5,false,'~',0) truncate(3) truncate(2) unique|list unique(true)|list unique(attribute='k')|list unique(attribute='n')|map(attribute='k')|join
batch(2)|list batch(2,0)|list slice(2)|list slice(2,'x')|list center(9) items|list items|map('first')|list list|length list|first list|tojson string|length string|tojson upper|lower length|string first|upper last|string wordcount|string
groupby('k')|list groupby('n')|map('first')|list attr('upper') e escape striptags urlencode filesizeformat format(1) pprint xmlattr wordwrap(4) capitalize(1) upper(1) length(1) list(1) nope safe|upper""")

TESTS = listed("""boolean callable defined divisibleby(2) divisibleby(v) divisibleby(0) escaped even eq(1) equalto('a') false filter float ge(2) gt(2) in([1,'a','words']) in('hello') in(v) integer iterable le(2) lower lt(2)
mapping ne(1) none number odd sameas(v) sameas(true) sameas(none) sequence string test true undefined upper ==(1) eq(v) ne(v) lt(v) nope defined(1) string(1)""")

STRING_METHODS = listed("""capitalize() casefold() center(9) center(9,'*') count('l') count('') count('l',3) encode() endswith('b') endswith(('o','c')) endswith('') endswith('d',0,5) expandtabs() expandtabs(2) find('l') find('') find('l',4) find('l',0,3) find('zz')
format() index('l') index('zz') isalnum() isalpha() isascii() isdecimal() isdigit() isidentifier() islower() isnumeric() isprintable() isspace() istitle() isupper() join(['a','b']) join('xy') join([1]) join(v)
ljust(20)~'|' ljust(20,'.') ljust(20,'ab') lower() lstrip() lstrip('hl') partition(' ') partition(',') partition('') removeprefix('he') removesuffix('oo') replace('l','L') replace('l','L',1) replace('','-') replace('l') replace(1,2) replace('a','b',count=1)
rfind('l') rfind('') rfind('l',0,4) rindex('l') rjust(20) rjust(20,'é') rpartition(' ') rpartition(',') rsplit() rsplit(',') rsplit(',',1) rsplit(none,1) rsplit(maxsplit=1) rstrip() rstrip('o\\n') split() split(',') split(',',1) split(none,1) split('') split(sep=',') split(maxsplit=1) split(1) split(',',-1) split('l')[0] split('l')[-1]
splitlines() splitlines(true) startswith('h') startswith(('x','h')) startswith('') startswith('e',1) startswith('o',-1) startswith(1) startswith(['h']) strip() strip('ho \\n') strip('') strip(none) strip(1) swapcase() title() translate({}) upper() zfill(5) zfill(20) nope() upper strip(' ','x')""")
CONTAINER_METHODS = listed("""append(1) clear() copy() count(1) count('a') extend([1]) index(1) index('A') index(9) insert(0,1) pop() remove(1) reverse() sort() get('b') get('z') get('z',0) get() get('a','b','c') get([]) get(key='b') items() items()|list items()|length items()|first items()[0] keys() keys()|list keys()|join keys()|sort
values() values()|list values()|first values()|length keys()|tojson items()|tojson popitem() setdefault('a',1) update({}) fromkeys([1]) __len__() mro""")

UNARY = ["{{ v }}", "{{ -v }}", "{{ +v }}", "{{ not v }}", "{{ v ~ '' }}", "{{ v if v else 'falsy' }}", "{{ [v] }}", "{{ {'k': v} }}", "{{ {v: 1} }}", "{{ (v,) }}", "{{ [v, [v]]|string }}", "{{ v()}}", "{{ v.x }}", "{{ v.x.y }}", "{{ v['x'] }}", "{{ v[0] }}", "{{ v[-1] }}", "{{ v[99] }}", "{{ v[none] }}", "{{ v[true] }}", "{{ v[1.0] }}", "{{ v['0'] }}", "{{ v.0 }}", "{{ v[0:2] }}", "{{ v[1:] }}", "{{ v[:-1] }}", "{{ v[::-1] }}",
         "{{ v[::2] }}", "{{ v[-2:] }}", "{{ v[5:1:-2] }}", "{{ v[::0] }}", "{{ v['a':] }}", "{{ v[v] }}", "{{ v[:v] }}", "{{ v.a.1.x }}", "{{ v['a'][1]['x'] }}", "{{ v.length }}", "{{ v.items is defined }}", "{{ v.upper is defined }}", "{{ v.upper is callable }}", "{{ v.k is defined }}", "{{ v.b is none }}", "{{ v|length == 0 }}", "{{ v == v }}", "{{ v == [] }}", "{{ v == '' }}",
         "{{ v is string and v|length > 3 }}", "{{ v is not none and v is not string }}", "{{ v or 'or' }}", "{{ v and 'and' }}", "{{ 'a' in v }}", "{{ 1 in v }}", "{{ none not in v }}", "{{ v in [v] }}", "{{ v in (1, 'a', none) }}", "{{ v in 'a12' }}", "{{ v * 2 }}", "{{ 2 * v }}", "{{ v * -1 }}", "{{ v + v }}", "{{ v ** 2 }}", "{{ v // 2 }}", "{{ v % 3 }}", "{{ 1 / v }}", "{{ 0 < v < 5 }}", "{{ range(v) }}", "{{ range(v)|list }}", "{{ range(2, v)|length }}",
         "{{ dict(v) }}", "{{ dict(k=v) }}", "{{ namespace(v) is defined }}", "{{ namespace(k=v).k }}", "{{ raise_exception(v) }}", "{{ v is sameas v }}", "{{ (v) is defined }}", "{{ v|default('d')|upper }}", "{{ v.split is defined }}", "{{ 'x'.join(v) }}", "{{ '%s' % v }}", "{{ '{}'.format(v) }}", "{{ 'a'.replace('a', v) }}", "{{ 'abc'.startswith(v) }}", "{{ 'abc'|replace('b', v) }}", "{{ 'a b'.split(v) }}", "{{ 'hello'.strip(v) }}", "{{ 'abc'[v] }}", "{{ [1, 2, 3][v] }}", "{{ {'b': 2}[v] }}", "{{ {'b': 2}.get(v) }}",
         "{{ 'abcdefghi'|truncate(v) }}", "{{ 'a\nb'|indent(v) }}", "{{ [1, 2]|join(v) }}", "{{ 'x'|default(v) }}", "{{ 3.14159|round(v) }}", "{{ '12'|int(v) }}", "{{ [1]|sum(start=v) }}", "{{ 'a'.count(v) }}", "{{ 'abc'.find(v) }}", "{{ 'a'.ljust(v) }}", "{{ [1, 2, 3]|batch(v)|list }}", "{{ {'a': 1}|tojson(indent=v) }}"]
STATEMENTS = ["{% for x in v %}[{{ x }}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}]{% else %}none{% endfor %}", "{% for x in v if x %}{{ loop.index0 }}={{ x }};{% else %}-{% endfor %}", "{% for a, b in v %}{{ a }}:{{ b }} {% endfor %}", "{% for k, w in v.items() %}{{ k }}={{ w }};{% endfor %}", "{% for k, w in v|items %}{{ k }}={{ w }};{% endfor %}", "{% for k, w in v|dictsort %}{{ k }}{{ w }}{% endfor %}", "{% for x in v|reverse %}{{ x }},{% endfor %}", "{% for x in v[::-1] %}{{ x }},{% endfor %}", "{% for x in v|sort %}{{ x }},{% endfor %}", "{% for x in v %}{{ loop.previtem }}<{{ x }}<{{ loop.nextitem }} {% endfor %}", "{% for x in v %}{{ loop.cycle('o', 'e') }}{{ loop.changed(x) }}{% endfor %}",
              "{% for x in v %}{% for y in v %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.revindex }}{% endfor %}", "{% for x in v %}{% if loop.first %}{% continue %}{% endif %}{{ x }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}", "{% for x in v recursive %}{{ x }}{% if x is iterable and x is not string %}({{ loop(x) }}){% endif %}{% endfor %}", "{% for x in v|map('string') %}{{ x }}{{ loop.length }}{% endfor %}", "{% for x in v|batch(2) %}{{ x }}{% endfor %}", "{% for x in v|list|unique %}{{ x }}{% endfor %}",
              "{% if v %}T{% else %}F{% endif %}", "{% if not v %}F{% elif v is string %}s{% else %}T{% endif %}", "{% if v is defined and v is not none %}D{% endif %}", "{% set x = v %}{{ x }}{{ x is defined }}", "{% set a, b = v %}{{ a }}|{{ b }}", "{% set x %}<{{ v }}>{% endset %}{{ x }}{{ x|length }}", "{% set x|upper|trim %} {{ v }} {% endset %}{{ x }}", "{% set ns = namespace(a=v) %}{% for i in [1, 2] %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}", "{% set v.x = 1 %}{{ v }}", "{% macro m(a, b='d') %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ m(v) }}{{ m(b=v) }}{{ m(v, v, v) }}", "{% macro m(a=v) %}[{{ a }}]{% endmacro %}{{ m() }}{{ m(none) }}{{ m(a=1) }}", "{% macro m(a) %}{{ caller(a) }}{% endmacro %}{% call(x) m(v) %}<{{ x }}>{% endcall %}",
              "{% macro m(x) %}{% if x is iterable and x is not string and x is not mapping %}[{% for y in x %}{{ m(y) }},{% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ m(v) }}", "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(k=v) }}", "{% with a = v %}{{ a }}{% endwith %}{{ a is defined }}", "{% filter upper %}x{{ v }}{% endfilter %}", "{% set s = v if v is string else v|tojson %}{{ s }}", "{% set g = v|map('string') %}{{ g|join }}/{{ g|join }}", "{% if v|select %}T{% else %}F{% endif %}", "{% if v|map('string')|list %}T{% else %}F{% endif %}", "{{ v|map('string') is iterable }}{{ v|map('string') is sequence }}{{ v|map('string') is defined }}", "{% set x = v.items() if v is mapping else v %}{{ x|length }}", "{{ (v|list)[0] }}{{ (v|list)[-1] }}{{ (v|list)[5] is defined }}"]
for name in ("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem", "nope"):
    STATEMENTS.append("{%% for x in v %%}{{ loop.%s }},{%% endfor %%}" % name)

BINARY = ["{{ v %s w }}" % op for op in ("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "~")]
PAIRED = ["{{ v ** w if w is not integer or w < 100 }}", "{{ v|default(w) }}", "{{ v|join(w) }}", "{{ v|replace(w, 'x') }}", "{{ v[w] }}", "{{ v if w else 'else' }}", "{{ v|map('default', w)|list }}", "{{ v|selectattr(w)|list }}", "{{ v.split(w) }}", "{{ v.strip(w) }}", "{{ v.startswith(w) }}", "{{ v.replace('l', w) }}", "{{ v.get(w) }}", "{{ v[w:] }}", "{{ [v, w]|sort }}", "{{ [v, w]|max }}", "{{ [v, w]|unique|list }}", "{{ [v, w]|tojson }}", "{{ [v] == [w] }}", "{{ (v, w)|string }}", "{{ {v: w} }}", "{{ v is eq(w) }}", "{{ v is in(w) }}", "{{ v is divisibleby(w) }}", "{{ [v, w]|sum }}", "{{ v|round(w) }}", "{{ v|int(w) }}", "{{ v.count(w) }}", "{{ v|trim(w) }}", "{{ v|indent(w) }}", "{{ v.find(w) }}", "{{ v|batch(w)|list }}", "{{ [v] < [w] }}"]


def white_space():
    """Tags, comments and prints with each sign on each side, in each surrounding."""
    around = [("a ", " b"), ("a\n", "\nb"), ("a\n  ", "  \n\n b"), ("\t", " "), ("", "\n"), (" \u00a0\n", "\u3000\n")]
    for (before, after), sign in itertools.product(around, [("", ""), ("-", ""), ("", "-"), ("-", "-"), ("+", ""), ("", "+"), ("+", "+"), ("-", "+"), ("+", "-")]):
        left, right = sign
        yield "%s{%%%s if 1 %s%%} x {%%%s endif %s%%}%s" % (before, left, right, left, right, after)
        yield "%s{#%s c %s#}%s" % (before, left, right, after)
        yield "%s{%%%s raw %s%%} {{ x }} {%%%s endraw %s%%}%s" % (before, left, right, left, right, after)
        yield "%s{%%%s set y = 1 %s%%}%s" % (before, left, right, after)
        if right != "+":
            yield "%s{{%s 'p' %s}}%s" % (before, left, right, after)


def sources():
    """(template, what it is rendered over): "values" `v` of each of VALUES; "sides" each `v` with each `w`; "none"."""
    over_values = UNARY + STATEMENTS
    over_values += ["{{ v|%s }}" % f for f in FILTERS + FILTER_CALLS]
    over_values += ["{{ v is %s }}" % t for t in TESTS if not t.startswith("=")] + ["{{ v is not %s }}" % t for t in TESTS[:12]]
    over_values += ["{{ v.%s }}" % m for m in STRING_METHODS + CONTAINER_METHODS]
    assert len(set(over_values)) == len(over_values), [s for s in over_values if over_values.count(s) > 1]
    yield from ((source, "values") for source in over_values)
    yield from ((source, "sides") for source in BINARY + PAIRED)
    yield from ((source, "none") for source in white_space())
