"""Which module has which functions of templates, so that a template loads those that it calls. Pure."""

from __future__ import annotations

_OWN = {
    "texts": (
        "indent join regexMatch regexReplaceAll replaceAll split splitToMap toLower toTitle toUpper trim "
        "trimPrefix trimSpace trimSuffix"
    ),
    "collections": (
        "byKey byMeta byPort byTag contains containsAll containsAny containsNone containsNotAll explode explodeMap "
        "in loop mergeMap mergeMapWithOverride"
    ),
    "encoding": "base64Decode base64Encode base64URLDecode base64URLEncode hmacSHA256Hex md5sum sha256Hex",
    "formats": "parseJSON parseYAML toJSON toJSONPretty toTOML toUnescapedJSON toUnescapedJSONPretty toYAML",
    "numbers": "add divide maximum minimum modulo multiply parseBool parseFloat parseInt parseUint subtract",
    "spew": "spew_dump spew_printf spew_sdump spew_sprintf",
    "environment": "env envOrDefault mustEnv",
    "surroundings": "plugin sockaddr timestamp writeToFile",
}
_SPRIG = {
    "text": (
        "abbrev abbrevboth camelcase cat contains hasPrefix hasSuffix hello indent initials join kebabcase lower "
        "nindent nospace plural quote repeat replace snakecase sortAlpha split splitList splitn squote substr "
        "swapcase title toString toStrings trim trimAll trimPrefix trimSuffix trimall trunc untitle upper wrap "
        "wrapWith"
    ),
    "numbers": (
        "add add1 add1f addf atoi biggest ceil div divf float64 floor int int64 max maxf min minf mod mul mulf "
        "round seq sub subf toDecimal until untilStep"
    ),
    "lists": (
        "append chunk compact concat deepEqual first has initial last list mustAppend mustChunk mustCompact "
        "mustFirst mustHas mustInitial mustLast mustPrepend mustPush mustRest mustReverse mustSlice mustUniq "
        "mustWithout prepend push rest reverse slice tuple uniq without"
    ),
    "dicts": (
        "deepCopy dict dig get hasKey keys merge mergeOverwrite mustDeepCopy mustMerge mustMergeOverwrite omit "
        "pick pluck set unset values"
    ),
    "types": (
        "all any coalesce default empty fail fromJson kindIs kindOf mustFromJson mustToJson mustToPrettyJson "
        "mustToRawJson ternary toJson toPrettyJson toRawJson typeIs typeIsLike typeOf"
    ),
    "encoding": (
        "adler32sum b32dec b32enc b64dec b64enc base clean dir ext isAbs mustRegexFind mustRegexFindAll "
        "mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit osBase osClean osDir osExt "
        "osIsAbs regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral "
        "regexSplit sha1sum sha256sum sha512sum urlJoin urlParse"
    ),
    "time": "duration durationRound mustDateModify mustToDate must_date_modify toDate unixEpoch",
    "semver": "semver semverCompare",
}
# Keys, certificates and chance: a file that is rendered again would differ each time.
_SPRIG_UNSUPPORTED = (
    "ago bcrypt buildCustomCert decryptAES derivePassword encryptAES genCA genCAWithKey genPrivateKey "
    "genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey htpasswd randInt shuffle "
)

#: Modules beside this one, and the functions of their FUNCTIONS. Those of Sprig have a prefix in templates.
FAMILIES: dict[str, tuple[str, ...]] = {family: tuple(names.split()) for family, names in _OWN.items()}
SPRIG_FAMILIES: dict[str, tuple[str, ...]] = {family: tuple(names.split()) for family, names in _SPRIG.items()}
SPRIG_UNSUPPORTED: tuple[str, ...] = tuple(_SPRIG_UNSUPPORTED.split())
