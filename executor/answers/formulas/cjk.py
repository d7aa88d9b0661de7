r"""Units and scales in Chinese, Japanese and Korean, in the spelling of the normal form.

This is the one list of these words: extraction uses it too. `25元` becomes `25 \unit{yuan}`,
`12个苹果` becomes `12 \unit{#苹果}`, and `5万` becomes `50000`. Words that are not known stay, and
make the answer a text.
"""

from __future__ import annotations

import re
from decimal import Decimal

from executor.answers.formulas.units import COUNTED, SOMETHING

CJK = "\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Characters of Chinese, Japanese and Korean words, as the inside of a character class."""

_SPELLINGS = """
hour: 小时 小時 個小時 个小时 钟头 時間 时 時 시간 시
min: 分钟 分鐘 分間
minute or point: 分 분
s: 秒 秒钟 秒鐘 秒間 초
day: 天 日 日間 일
week: 周 週 星期 个星期 個星期 週間 주
month: 月 个月 個月 か月 ヶ月 ヵ月 개월
year: 年 岁 歲 歳 周岁 年間 년
yuan: 元 块 块钱 元钱 元人民币
jiao: 角 毛 毛钱
fen: 分钱
yen: 円 日元
won: 원 韩元
dollar: 美元 美金 ドル 달러
euro: 欧元 ユーロ
pound sterling: 英镑
mm: 毫米
cm: 厘米 公分 センチメートル センチ
dm: 分米
m: 米 公尺 メートル 미터
km: 千米 公里 キロメートル キロ
mg: 毫克
g: 克 公克 グラム 그램
jin: 斤
kg: 千克 公斤 キログラム
tonne: 吨 噸 トン
L: 升 公升 リットル
mL: 毫升 ミリリットル
hectare: 公顷
degree: 度
celsius: 摄氏度
percentage point: 个百分点 百分点
"""
_UNITS = {
    word: name
    for name, _, words in (line.partition(":") for line in _SPELLINGS.strip().splitlines())
    for word in words.split()
}
_LENGTHS = frozenset(("mm", "cm", "dm", "m", "km"))
_COUNTERS = """
个 個 只 隻 本 人 名 位 件 张 張 支 枝 条 條 头 頭 辆 輛 棵 次 种 種 组 組 箱 瓶 袋 双 雙
朵 页 頁 题 題 块 塊 匹 枚 台 册 冊 杯 盒 篇 道 步 层 層 根 把 颗 顆 粒 片 间 間 家
倍 点 點 包 桶 つ 回 개 명 마리 권 번
"""
_COUNTER = "|".join(_COUNTERS.split())
_NO_THING = (
    "和与與及或以上下多余餘级級点點半约約分之至到每内內外前后後左右几幾不第比少共函式形体方程数數"
)
_ANY_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))

CJK_MEASURE = re.compile(rf"(?:平方|立方)?(?:{_ANY_UNIT}|点|點)")
"""A unit of measurement, or the hour of a time."""

_TEXT = re.compile(rf"\\(?:text|roman)\s*\{{\s*([{CJK}/]+)\s*\}}")
_AFTER_NUMBER = re.compile(rf"(?<=[\d}})])\s*([{CJK}]+(?:\s*/\s*[{CJK}]+)?)")
_WRAPPED = re.compile(rf"(?:\$([^$]+)\$|\\boxed\s*\{{([^{{}}]*)\}})(?=\s*[{CJK}])")
_RATE = re.compile(
    rf"(?P<power>平方|立方)?(?P<unit>{_ANY_UNIT})(?:\s*(?:/|每)\s*(?P<per>{_ANY_UNIT}))?"
)
_THING = re.compile(rf"(?:{_COUNTER})(?P<thing>[{CJK}]{{1,6}})?")

_LONGEST = 20
"""Longest number in characters whose scales are read; decimals keep 28 digits."""

_SCALES = {
    "百": 10**2, "千": 10**3, "万": 10**4, "萬": 10**4, "만": 10**4, "亿": 10**8, "億": 10**8,
    "억": 10**8,
}  # fmt: skip
_OTHER_SCALES = "".join(scale for scale in _SCALES if scale not in "百千")
_THOUSAND = "千(?![米克瓦卡赫帕焦伏字])"
_KNOWN_SCALE = rf"(?:百(?!分)|{_THOUSAND}|[{_OTHER_SCALES}])(?!分之)"
_SCALE = rf"(?:{_KNOWN_SCALE})+"

CJK_SCALE = rf"(?:{_KNOWN_SCALE}|十|兆(?![瓦字赫帕]))"
"""A character that multiplies a number, as a pattern: not that of `千克`, which is a unit.

The value of an answer with another one than those of `_SCALES` is a text.
"""

_SCALED = re.compile(
    rf"(?<![\d.,^_{{])(?:\d[\d,]*(?:\.\d+)?|\.\d+)\s*{_SCALE}(?:\d+{_SCALE})*(?!\d)"
)
_SCALED_PART = re.compile(rf"([\d.,]+)\s*({_SCALE})")


def spell_units(text: str) -> str:
    """Return a text with the scales and units after its numbers in the normal form's spelling."""
    text = _IN_WORDS.sub(_in_digits, _WRAPPED.sub(r"\1\2", _TEXT.sub(r"\1", text)).strip())
    return _AFTER_NUMBER.sub(_unit, _SCALED.sub(_number, text))


_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {
    "〇": 0, "两": 2, "兩": 2,
}  # fmt: skip
_TENS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {scale: size for scale, size in _SCALES.items() if size >= 10**4}
_NUMERAL = (
    rf"[{''.join(_DIGITS)}十](?:[{''.join((*_DIGITS, *_MYRIADS))}十百]|千(?![米克瓦卡赫帕焦伏字]))*"
)
_IN_WORDS = re.compile(
    rf"(?P<minus>负|負)?(?:(?P<per>百分之)|(?P<bottom>{_NUMERAL})分之)?(?P<top>{_NUMERAL})"
)


def _in_digits(match: re.Match[str]) -> str:
    """Write a whole answer in Chinese numerals in digits, with or without a unit behind it."""
    values = [_value(numeral) for numeral in (match["top"], match["bottom"] or "一")]
    rest = match.string[match.end() :].strip()
    known = not rest or _RATE.fullmatch(rest) or _THING.fullmatch(rest)
    if match.start() or not known or None in values or 0 in values[1:]:
        return match.group()
    sign = "-" if match["minus"] else ""
    if match["bottom"]:
        return rf"{sign}\frac{{{values[0]}}}{{{values[1]}}}"
    return f"{sign}{values[0]}{'%' if match['per'] else ''}"


def _value(numeral: str) -> int | None:
    """Return the value of a Chinese numeral; None if it is none.

    A digit right after a scale is short for tens of what is below it (一百五 is 150), or is not:
    it is left alone, and so is a row of digits.
    """
    short = len(numeral) > 2 and numeral[-1] in _DIGITS and numeral[-2] not in "零〇十"
    if short or len(numeral) > _LONGEST:
        return None
    total = group = 0
    digit: int | None = None
    last = 10**5
    for sign in numeral:
        if sign in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[sign]
        elif sign in _TENS:
            if _TENS[sign] >= last:
                return None
            last = _TENS[sign]
            group, digit = group + (1 if digit is None else digit) * last, None
        else:
            total = (total + group + (digit or 0)) * _MYRIADS[sign]
            group, digit, last = 0, None, 10**5
    return total + group + (digit or 0)


def _number(match: re.Match[str]) -> str:
    if len(match.group()) > _LONGEST:
        return match.group()
    total, last = Decimal(0), Decimal("Infinity")
    for digits, scales in _SCALED_PART.findall(match.group()):
        factor = Decimal(1)
        for scale in scales:
            factor *= _SCALES[scale]
        if factor >= last:
            return match.group()
        total, last = total + Decimal(digits.replace(",", "")) * factor, factor
    return f"{total.normalize():f}"


def _unit(match: re.Match[str]) -> str:
    words = match[1]
    rate = _RATE.fullmatch(words)
    if rate:
        name = _UNITS[rate["unit"]]
        if rate["power"] and name not in _LENGTHS:
            return match.group()
        power = {"平方": "^2", "立方": "^3"}.get(rate["power"] or "", "")
        per = rf"/\unit{{{_UNITS[rate['per']]}}}" if rate["per"] else ""
        return rf" \unit{{{name}}}{power}{per} "
    counted = _THING.fullmatch(words)
    if counted is None or any(character in _NO_THING for character in counted["thing"] or ""):
        return match.group()
    return rf" \unit{{{COUNTED + counted['thing'] if counted['thing'] else SOMETHING}}} "
