r"""Answers in words, in Chinese, with units, intervals, bases and angles: how they are read.

One table a kind, with the near neighbours that must stay different.
"""

from __future__ import annotations

import pytest

from executor.answers.equality import same
from executor.answers.evaluation import Evaluated
from executor.answers.formulas.normal_form import normal_form
from executor.answers.reading import read

EQUAL = {
    "closed intervals": r"""
        [3,5] ;; [3, 5]
        [3,5] ;; 3 \le x \le 5
        [0, \pi] ;; \left[0,\pi\right]
        [5,3] ;; 5,3
        [2, 3] ;; 2,3
        [2, 3] ;; [2,3]
        [2.5, -3] ;; 2.5, -3
        [1,2,3] ;; 1,2,3
        ["3", "5"] ;; 5,3
        ['3', '5'] ;; 3,5
        [3] ;; 3
        """,
    "per cent": r"""
        25% ;; 25
        25\% ;; 25 percent
        12.5% ;; 25/2 %
        5% + 10% ;; 15%
        25 percentage points ;; 25%
        """,
    "bases": r"""
        101_{10} ;; 101
        101_{\text{ten}} ;; 101
        101 base 10 ;; 101
        101_2 ;; 101_{2}
        0101_2 ;; 101_2
        2A_{16} ;; 2A_{\text{sixteen}}
        """,
    "letters": r"""
        E ;; (E)
        e ;; (e)
        (b) ;; (B)
        B ;; Option b
        E ;; E
        C) ;; c)
        \text{(E)} ;; e
        """,
    "cases": r"""
        \begin{cases} x=1 \\ y=2 \end{cases} ;; \begin{cases} x=1 \\ y=4/2 \end{cases}
        \begin{cases} x=1 \\ y=2 \end{cases} ;; x=1, y=2
        \begin{cases} x=1, \\ y=2. \end{cases} ;; y=2, x=1
        \left\{\begin{array}{l} x=1 \\ y=2 \end{array}\right. ;; x=1, y=2
        \begin{cases} x=1 \\ y=2 \end{cases} ;; (1,2)
        """,
    "Chinese units": r"""
        25元 ;; 25
        25 元 ;; 25
        25\text{元} ;; 25
        25\text{ 元} ;; 25 yuan
        25元 ;; RMB 25
        ¥25 ;; 25元
        ¥25 ;; 25 yen
        25円 ;; 25 yen
        12个 ;; 12
        12 个 ;; 12
        12个苹果 ;; 12
        12個 ;; 12个
        3小时 ;; 3
        3小時 ;; 180 minutes
        3小时20分 ;; 200 minutes
        3小时20分钟 ;; 200分钟
        5分 ;; 5
        5分 ;; 5 minutes
        90分 ;; 90
        5万 ;; 50000
        5万元 ;; 50000 yuan
        3.5万 ;; 35000
        1亿2000万 ;; 120000000
        3万5千 ;; 35000
        2千万 ;; 20000000
        5元5角 ;; 5.5元
        3千米 ;; 3000米
        5公里 ;; 5 km
        12平方厘米 ;; 12 cm^2
        12立方米 ;; 12 m^3
        2公斤 ;; 2000克
        \frac{3}{4}小时 ;; 45分钟
        60千米/时 ;; 60 km/h
        60千米/小时 ;; 60
        30度 ;; 30^\circ
        25％ ;; 25
        3倍 ;; 3
        5人 ;; 5
        8时间 ;; 8时间
        3時間 ;; 3 hours
        5개 ;; 5
        x=25元 ;; 25
        （3，5） ;; (3,5)
        """,
    "money": r"""
        £5 ;; 5
        £5 ;; 5 pounds
        5 pounds ;; 5
        5 pounds ;; 80 oz
        £2.50 ;; 250 pence
        £5 ;; 5\text{ pounds}
        ¥1,000 ;; 1000
        1 pound ;; £1
        """,
    "things": r"""
        1 apple ;; 1
        1 apple ;; 1 apples
        5 apples ;; 5 apple
        5 apple ;; 5
        1 red apple ;; 1
        1 cat ;; 1
        1 child ;; 1 children
        2 box of pencils ;; 2
        1 person ;; 1
        1 hour ;; 1
        1 slice of pizza ;; 1
        5 left ;; 5
        """,
    "number words": r"""
        twelve ;; 12
        Twelve ;; 12
        five ;; 5
        five. ;; 5
        \text{five} ;; 5
        zero ;; 0
        half ;; 1/2
        one half ;; 0.5
        one-half ;; 0.5
        a half ;; 0.5
        two thirds ;; 2/3
        two-thirds ;; 2/3
        three quarters ;; 0.75
        3 fourths ;; 3/4
        2 thirds ;; 2/3
        twenty-five ;; 25
        one hundred and five ;; 105
        one hundred five ;; 105
        two thousand three hundred forty ;; 2340
        three million ;; 3000000
        a hundred ;; 100
        a dozen ;; 12
        two dozen ;; 24
        three and a half ;; 3.5
        two and two thirds ;; 8/3
        5 and a half ;; 5.5
        minus five ;; -5
        negative twelve ;; -12
        three point one four ;; 3.14
        twelve apples ;; 12
        twelve apples ;; 12 apples
        five dollars ;; $5
        three hours ;; 180 minutes
        three hours and twenty minutes ;; 200 minutes
        five percent ;; 5%
        one and two ;; 1, 2
        x = five ;; 5
        """,
    "times": r"""
        11:00 ;; 11:00 AM
        11:00 ;; 11:00 PM
        11:00 ;; 11 am
        5:30 ;; 5:30 pm
        17:30 ;; 5:30 pm
        12:00 ;; noon
        3:05 ;; 3:05 p.m.
        """,
    "rounded beside exact": r"""
        7/8 \approx 0.875 ;; 7/8
        \frac{1}{3} \approx 0.33 ;; 1/3
        \frac{1}{3} \approx 0.33 ;; 0.33
        \sqrt{2} \approx 1.41 ;; \sqrt2
        x = \sqrt{2} \approx 1.414 ;; \sqrt2
        x = \frac{1}{3} ≈ 0.33 ;; 1/3
        7/8 = 0.875 ;; 7/8
        \approx 0.33 ;; 0.33
        """,
    "angles": r"""
        \frac{\pi}{6} ;; 30^\circ
        30° ;; π/6
        180 degrees ;; \pi
        -45^\circ ;; -\frac{\pi}{4}
        (2, 30^\circ) ;; (2, \frac{\pi}{6})
        30^\circ ;; 30
        x = \frac{\pi}{3} ;; x = 60^\circ
        """,
    "values of functions": r"""
        P(A)=0.5 ;; 0.5
        P(A) = \frac12 ;; P(A)=0.5
        P(A \cap B) = 0.5 ;; 1/2
        P(A|B) = 0.5 ;; 1/2
        P(X > 3) = 0.5 ;; 0.5
        E(X) = 3 ;; 3
        E[X] = 3 ;; 3
        \Pr(A) = 0.25 ;; 1/4
        \mathbb{P}(A) = 0.25 ;; 1/4
        h(2) = 7 ;; 7
        P(x) = x^2 + 1 ;; x^2+1
        \text{P}(A) = 0.5 ;; 0.5
        """,
    "ratios in words": r"""
        4 to 1 ;; 4:1
        4\text{ to }1 ;; 4 : 1
        four to one ;; 4:1
        1 to 10 ;; 1:10
        2 to 3 to 5 ;; 2:3:5
        """,
    "commas at the end": r"""
        5, ;; 5
        5; ;; 5
        $5$, ;; 5
        \frac12, ;; 1/2
        2,3, ;; 3,2
        x=5, ;; 5
        5\; ;; 5
        5\, ;; 5
        """,
}
DIFFERENT = {
    "closed intervals": r"""
        [3,5] ;; 3,5
        [3,5] ;; 5,3
        [3,5] ;; (3,5)
        [0, \pi] ;; 0, \pi
        [3,5] ;; \{3,5\}
        [3,5] ;; x=3, x=5
        [3,5] ;; 3 and 5
        [-1,1] ;; \pm 1
        (3,5] ;; 3,5
        [1, \pi] ;; 1, \pi
        [2, 3] ;; 3,2
        [2, 3] ;; (2,3)
        """,
    "per cent": r"""
        25% ;; $25
        25% ;; 25 dollars
        25% ;; 25 minutes
        25% ;; 25 cm
        25% ;; 25^\circ
        25% ;; 25 apples
        25% ;; €25
        25% ;; 25元
        25% ;; 0.25
        25% ;; 1/4
        25% ;; 26%
        25% ;; 25 m^2
        5% + 10% ;; 15 cm
        """,
    "things": r"""
        5 apple ;; 5 pears
        1 apple ;; 1 pear
        1 apple ;; 2
        1 cat ;; 1 dog
        1 cat ;; 2
        5 xyz ;; 5
        5 cat ;; 5
        2 abc ;; 2
        5 prime ;; 5
        5 negative ;; 5
        5 below ;; 5
        5 more than x ;; 5
        5 grand ;; 5
        5 remainder ;; 5
        5 june ;; 5
        5 squared ;; 5
        3 double ;; 3
        20 five ;; 20
        x^2 apple ;; x^2
        12 midnight ;; 12
        """,
    "bases": r"""
        101_2 ;; 101
        101_{2} ;; 5
        4210_5 ;; 4210
        77_8 ;; 77
        77 base 8 ;; 77
        101_2 ;; 101_{10}
        52_8 ;; 52_9
        """,
    "letters": r"""
        E ;; e
        B ;; b
        C ;; c
        e ;; 2.71
        x ;; X
        (E) ;; D
        E ;; d
        \pi ;; \Pi
        (e) ;; (d)
        """,
    "cases": r"""
        \begin{cases} x=1 \\ y=2 \end{cases} ;; \begin{cases} x=3 \\ y=2 \end{cases}
        \begin{cases} x=1 \\ y=2 \end{cases} ;; \begin{cases} x=1 \\ z=2 \end{cases}
        \begin{cases} x=1 \\ y=2 \end{cases} ;; (2,1)
        \begin{cases} x=1 \\ y=2 \end{cases} ;; 2
        \begin{cases} 1 \\ 2 \end{cases} ;; (1,2)
        \begin{cases} x+y=3 \\ x-y=-1 \end{cases} ;; (3,-1)
        \begin{cases} x & x>0 \\ -x & x<0\end{cases} ;; \begin{cases} 2 & x>0 \\ -x & x<0\end{cases}
        f(x)=\begin{cases} x & x=0 \\ 1 \end{cases} ;; f(x)=\begin{cases} 2 & x=0 \\ 1 \end{cases}
        \begin{cases} 1, & x=0 \\ 2\end{cases} ;; \begin{cases} 5, & x=0 \\ 2\end{cases}
        \begin{cases} (1,2) \\ (3,4) \end{cases} ;; (1,2)
        \begin{aligned} x&=1 \\ y&=2 \end{aligned} ;; \begin{aligned} x&=3 \\ y&=2 \end{aligned}
        """,
    "Chinese units": r"""
        25元 ;; 26
        25元 ;; $25
        25元 ;; 25 yen
        ¥25 ;; $25
        ¥25 ;; 25 won
        5万 ;; 5
        5万 ;; 500000
        3小时 ;; 3 minutes
        3小时20分 ;; 3
        3小时20分 ;; 320
        5分 ;; 5 hours
        12个 ;; 13
        12个苹果 ;; 12个梨
        12个苹果和3个梨 ;; 12
        12个以上 ;; 12
        12个或13个 ;; 12
        5年级 ;; 5
        5月3日 ;; 5
        5月3日 ;; 8
        第5个 ;; 5
        甲 ;; 乙
        3米 ;; 3厘米
        12平方厘米 ;; 12 cm
        5亿 ;; 5万
        3点 ;; 3点20分
        5倍多 ;; 5
        10人以下 ;; 10
        约5元 ;; 6
        """,
    "money": r"""
        £5 ;; $5
        £5 ;; 80 oz
        £5 ;; 5 kg
        5 pounds ;; 5 kg
        5 pounds ;; 5 dollars
        5 lb ;; £5
        £5 ;; 6 pounds
        """,
    "number words": r"""
        twelve ;; 13
        five ;; 6
        five ;; fifth
        half ;; 2
        two thirds ;; 2
        two thirds ;; 3
        two thirds ;; 23
        2 thirds ;; 2
        twenty five six ;; 31
        one or two ;; 1
        half of 8 ;; 1/2
        one of them ;; 1
        five hundred ;; 5
        three or more ;; 3
        no one ;; 1
        third ;; 1/3
        three thirty ;; 33
        two hundred ;; 2
        twenty thirty ;; 50
        five halves ;; 5
        three quarters of x ;; 0.75
        two to three ;; 2
        one and two ;; 3
        """,
    "times": r"""
        11:00 AM ;; 11:00 PM
        11:00 ;; 11:30 AM
        11:00 ;; 11
        5:30 ;; 17:30
        17:30 ;; 5:30 am
        noon ;; midnight
        23:00 ;; 11:00 am
        """,
    "rounded beside exact": r"""
        \frac{1}{3} \approx 0.33 ;; 0.34
        5 \approx 7 ;; 7
        5 \approx 7 ;; 5
        x = \sqrt{2} \approx 1.41 ;; y = \sqrt2
        0.33 ;; 1/3
        x \approx 0.33 ;; 1/3
        """,
    "angles": r"""
        \frac{\pi}{6} ;; 30
        \frac{\pi}{6} ;; 60^\circ
        \frac{1}{6} ;; 30^\circ
        \pi ;; 180
        \frac{\pi}{6} ;; 30 cm
        0.5 ;; 90^\circ
        2 ;; 360^\circ
        """,
    "values of functions": r"""
        P(A)=0.5 ;; P(B)=0.5
        P(A)=0.5 ;; 0.6
        P(A|B) = 0.5 ;; P(B|A) = 0.5
        E(X) = 3 ;; E(Y) = 3
        h(2) = 7 ;; h(3) = 7
        x(x+1) = 6 ;; 6
        2(x+1) = 6 ;; 6
        x(2) = 6 ;; 6
        a(b+c) = 5 ;; 5
        """,
    "ratios in words": r"""
        4 to 1 ;; 1:4
        4 to 1 ;; 4
        4 to 1 ;; 41
        4 to 2 ;; 2:1
        4:1 ;; 4.1
        7 to 9 ;; 7-9
        1 to 10 ;; 1:10 pm
        1 to 10 ;; 70
        """,
    "commas at the end": r"""
        5, ;; 6
        2,3, ;; 2
        5,... ;; 5
        ,5 ;; 5,6
        5,, ;; 55
        """,
}


def rows(table: dict[str, str], kind: str) -> list[tuple[str, str]]:
    pairs = (line.strip().partition(" ;; ") for line in table[kind].strip().splitlines())
    return [(a, b) for a, _, b in pairs]


def equal(a: str, b: str) -> bool:
    verdict = same(read(a), read(b), Evaluated())
    assert verdict is not None
    return verdict


@pytest.mark.parametrize("kind", EQUAL)
def test_spellings_of_one_answer(kind: str) -> None:
    wrong = [(a, b) for a, b in rows(EQUAL, kind) if not (equal(a, b) and equal(b, a))]
    assert wrong == []


@pytest.mark.parametrize("kind", DIFFERENT)
def test_near_neighbours(kind: str) -> None:
    wrong = [(a, b) for a, b in rows(DIFFERENT, kind) if equal(a, b) or equal(b, a)]
    assert wrong == []


@pytest.mark.parametrize("table", [EQUAL, DIFFERENT])
def test_each_answer_is_read_the_same_in_its_normal_form(table: dict[str, str]) -> None:
    answers = [answer for kind in table for pair in rows(table, kind) for answer in pair]
    assert [a for a in answers if normal_form(normal_form(a)) != normal_form(a)] == []
    assert [a for a in answers if not equal(a, a)] == []
