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
    "dates, congruences, short units": r"""
        May 5 ;; 5 May
        May 5th ;; 5th of May
        Oct. 3, 2024 ;; 3 October 2024
        3h 20min ;; 3 hours 20 minutes
        1h30m ;; 90 minutes
        6'2" ;; 6 ft 2 in
        1 \pmod 5 ;; 1 \pmod{5}
        x \equiv 1 \mod 5 ;; x≡1 (mod 5)
        {10 \choose 3} ;; 120
        €3,50 ;; 3.5
        3,50 € ;; 3.5
        50\text{%} ;; 50
        """,
    "currencies and large numbers": r"""
        \pounds 20 ;; £20
        CAD 30 ;; 30
        $30 ;; 30 AUD
        MXN 45 ;; 45 pesos
        $3M ;; 3 million dollars
        $3K ;; 3000
        $2.5bn ;; 2500000000
        4 trillion ;; 4 \times 10^{12}
        2 trillion dollars ;; 2000000000000
        3 quadrillion ;; 3 \times 10^{15}
        3 lacs ;; 300000
        half a million ;; 500000
        half a dozen eggs ;; 6
        1_000_000 ;; 1000000
        2 fortnights ;; 28 days
        """,
    "conditions and complements": r"""
        |x| < 2 ;; -2 < x < 2
        3 \ge |x| ;; [-3, 3]
        |x| > 3 ;; x < -3 \text{ or } x > 3
        x > 1 \land x < 3 ;; (1, 3)
        x < 1 ∨ x > 3 ;; (-\infty, 1) \cup (3, \infty)
        \mathbb{R} \setminus \{2\} ;; (-\infty, 2) \cup (2, \infty)
        ℝ ∖ {3, -1} ;; (-\infty,-1)\cup(-1,3)\cup(3,\infty)
        \mathbb{R} - \{\sqrt2\} ;; x \ne \sqrt2
        all real numbers except x = 2 ;; \mathbb{R} \setminus \{2\}
        p \wedge q ;; p ∧ q
        """,
    "wrappers": r"""
        Answer: 5 ;; 5
        \text{The answer is } 7 ;; 7
        Infinity ;; \infty
        negative infinity ;; -\infty
        The final answer is: (B) ;; b
        answer = 3/4 ;; 0.75
        \large 42 ;; 42
        1{:}2 ;; 1:2
        [B] ;; (B)
        No ;; no
        m+n = 16 + 9 = 25 ;; 25
        5 units ;; 5 apples
        \frac{dy}{dx} = 2x ;; 2x
        ∼12 ;; 12
        """,
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
        30% ;; thirty percent
        $30 ;; thirty dollars
        100% ;; 100
        50 % ;; 50
        \frac{1}{2}\% ;; 0.5\%
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
        负三 ;; -3
        十二 ;; 12
        一百零五 ;; 105
        两千三百 ;; 2300
        三万五千 ;; 35000
        三小时 ;; 3
        五十元 ;; 50
        三个苹果 ;; 3
        百分之五 ;; 5%
        四分之三 ;; 0.75
        \boxed{25元} ;; 25
        \boxed{25}元 ;; 25
        $25$元 ;; 25
        $25$ 元 ;; 25
        25元。 ;; 25
        12 个苹果 ;; 12
        二十五 ;; 25
        三分之二 ;; 2/3
        百分之二十五 ;; 25%
        25 块 ;; 25 yuan
        3块蛋糕 ;; 3
        120度 ;; 120
        3 时 20 分 ;; 200分钟
        x = 3米 ;; 3
        3,000元 ;; 3000
        3.5小时 ;; 3.5
        -3℃ ;; -3
        5億 ;; 500000000
        5만원 ;; 50000
        1万2千 ;; 12000
        100円 ;; 100
        10時間 ;; 10
        3本 ;; 3
        80千米/小时 ;; 80
        80千米每小时 ;; 80
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
        5 pounds 4 ounces ;; 84 oz
        ¥5 ;; ¥5.00
        ￥25 ;; 25元
        £5 per hour ;; 5
        £5 ;; 5
        £5 ;; 5 pounds
        5 pounds ;; 5
        5 pounds ;; 80 oz
        £2.50 ;; 250 pence
        £5 ;; 5\text{ pounds}
        ¥3/pound ;; 3 yuan/lb
        ¥3/pound ;; 3 yen per pound
        ¥1,000 ;; 1000
        1 pound ;; £1
        """,
    "things": r"""
        1 apple ;; one apple
        1 dollar ;; $1
        1 book ;; 1
        1 way ;; 1
        24 square unit ;; 24
        3 red ball ;; 3
        1 solution ;; 1
        2 solution ;; 2
        1 dog ;; 1 dogs
        7 student ;; 7 students
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
        one hundred twenty-three thousand, four hundred fifty-six ;; 123456
        three and a half hours ;; 3.5 hours
        seventy-five cents ;; $0.75
        one hundred, two hundred ;; 200, 100
        one thousand, five ;; 1005
        minus one half ;; -0.5
        a quarter ;; 25/100
        two hundredths ;; 0.02
        \text{twelve apples} ;; 12
        **seven** ;; 7
        (five, six) ;; (5,6)
        Forty-two ;; 42
        one million ;; 1000000
        three hundred and sixty-five ;; 365
        six and three quarters ;; 6.75
        one-third ;; 1/3
        a third ;; 1/3
        three-fourths ;; 3/4
        five eighths ;; 5/8
        nine tenths ;; 0.9
        \text{two thirds} ;; 2/3
        Five. ;; 5
        "five" ;; 5
        nineteen hundred ;; 1900
        half a mile ;; 0.5 miles
        half an hour ;; 30 minutes
        half ;; 50/100
        zero ;; 0
        seven times ;; 7
        two and five ;; 2, 5
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
        1 pm ;; 1:00
        4:15 a.m. ;; 4:15
        12:00 am ;; 12:00
        0:30 ;; 12:30 am
        11:00 ;; 11:00 AM
        11:00 ;; 11:00 PM
        11:00 ;; 11 am
        5:30 ;; 5:30 pm
        17:30 ;; 5:30 pm
        12:00 ;; noon
        3:05 ;; 3:05 p.m.
        """,
    "rounded beside exact": r"""
        \frac{22}{7} \approx 3.14 ;; 22/7
        \pi \approx 3.14 ;; \pi
        x \approx 3.14 ;; 3.14
        2\sqrt{3} \approx 3.46 ;; 2\sqrt3
        \frac{1}{6} = 0.1\overline{6} \approx 0.17 ;; 1/6
        x = 2\sqrt{3} = \sqrt{12} \approx 3.46 ;; 2\sqrt{3}
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
        \frac{2\pi}{3} ;; 120^\circ
        \frac{3\pi}{2} \text{ radians} ;; 270^\circ
        \pi/4 ;; 45 degrees
        \theta = 60^\circ ;; \frac{\pi}{3}
        \frac{\pi}{6} ;; 30^\circ
        30° ;; π/6
        180 degrees ;; \pi
        -45^\circ ;; -\frac{\pi}{4}
        (2, 30^\circ) ;; (2, \frac{\pi}{6})
        30^\circ ;; 30
        x = \frac{\pi}{3} ;; x = 60^\circ
        """,
    "values of functions": r"""
        P(\text{red}) = \frac{3}{8} ;; 3/8
        P(\text{both red}) = 0.2 ;; 1/5
        P(X=2)=0.25 ;; 1/4
        P(X \ge 2) = 0.25 ;; 0.25
        \mathrm{E}[X] = 3.5 ;; 7/2
        \mathbb{E}[X] = 3.5 ;; 7/2
        \text{Var}(X) = 4 ;; 4
        \operatorname{Var}(X) = 4 ;; 4
        n(A \cup B) = 12 ;; 12
        f(3) = 9 ;; 9
        g'(2) = 5 ;; 5
        p(2) = 3 ;; 3
        P(A) \approx 0.33 ;; 0.33
        P = 0.5 ;; 0.5
        a_{10} = 55 ;; 55
        S_5 = 31 ;; 31
        \det(A) = 5 ;; 5
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
        5 , ;; 5
        \frac{3}{4}, ;; 0.75
        \boxed{5}, ;; 5
        (1,2), ;; (1,2)
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
    "dates, congruences, short units": r"""
        May 5 ;; May 6
        May 5 ;; 5
        May 5 ;; March 5
        May 5, 2024 ;; May 5, 2023
        May 32 ;; 32 May
        3h 20min ;; 3h 30min
        3h ;; 3k
        6'2" ;; 62
        x \equiv 1 \pmod 5 ;; x \equiv 1 \pmod 7
        x \equiv 1 \pmod 5 ;; x \equiv 2 \pmod 5
        2^{10} \bmod 7 ;; 2^{10} \pmod 7
        €3,50 ;; 350
        $3,500 ;; 3.5
        """,
    "operators": r"""
        p \land q ;; p \lor q
        p \land q ;; p, q
        x \not\in (1, 2) ;; (1, 2)
        x \notin \{1, 2\} ;; 1, 2
        x \not\equiv 1 ;; x \equiv 1
        ABC ∼ DEF ;; ABCDEF
        \frac{dy}{dx} ;; \frac{y}{x}
        \frac{d}{dx} ;; \frac{1}{x}
        \frac{d^2y}{dx^2} ;; \frac{dy}{x^2}
        |x| < 2 ;; x < 2
        |x| \le 2 ;; (-2, 2)
        |x| > 2 ;; |y| > 2
        \mathbb{R} \setminus \{0\} ;; \mathbb{R} \setminus \{1\}
        \mathbb{R} \setminus \{0\} ;; \mathbb{R}
        m+n = 25 ;; 25
        """,
    "large numbers": r"""
        4 trillion ;; 4
        2 trillion dollars ;; 2
        3 quadrillion ;; 3
        3 quintillions ;; 3
        2 googol ;; 2
        3 lacs ;; 3
        $3M ;; 3
        2 fortnights ;; 2 weeks
        1_2 ;; 12
        100_{200} ;; 100200
        """,
    "things and measures": r"""
        5 apples ;; 5 cm
        5 apples ;; $5
        5 people ;; 5 hours
        4 cups ;; 4 spoons
        5 units ;; 5 cm
        """,
    "closed intervals": r"""
        [3,5] ;; 3, 5
        [3,5] ;; [5,3]
        [-2, 2\sqrt2] ;; -2, 2\sqrt{2}
        [a,b] ;; a,b
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
        25% ;; 25 percent of 40
        30% ;; 30 km/h
        30% ;; 30 students
        30% ;; 30 kg
        30% ;; $0.30
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
        1 apple ;; 1 banana
        2 root 3 ;; 2
        3 log ;; 3
        5 mod ;; 5
        2 pi ;; 2
        5 over ;; 5
        3 choose ;; 3
        7 feet ;; 7 foot 1
        7 half ;; 7
        7 third ;; 7
        10 percent of x ;; 10
        5 sin ;; 5
        9 squared ;; 9
        2 thousand ;; 2
        2 gross ;; 2
        8 or more ;; 8
        6 factorial ;; 6
        5 if ;; 5
        4 alpha ;; 4
        4 theta ;; 4
        4 delta ;; 4
        3 lambda ;; 3
        3 sigma ;; 3
        3 infinity ;; 3
        3 vector ;; 4
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
        B ;; b
        D ;; d
        E ;; e
        A ;; a
        E ;; 2.71828
        (e) ;; (a)
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
        \begin{cases} x=1 \\ y=2 \end{cases} ;; y=2
        \begin{cases} x=1 \\ y=2 \end{cases} ;; x=1
        \begin{cases} x>1 \\ y<2 \end{cases} ;; (1,2)
        \begin{cases} x>1 \\ y<2 \end{cases} ;; y<2
        \begin{cases} x=1 \\ x=2 \end{cases} ;; (1,2)
        \begin{cases} a \\ b \end{cases} ;; (a,b)
        \begin{array}{l} x=1 \\ y=2 \end{array} ;; x=1
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
        三角形 ;; 3
        一次函数 ;; 1
        一百五 ;; 105
        三万五 ;; 30005
        3万5 ;; 30005
        二十五 ;; 205
        三四 ;; 7
        一样 ;; 1
        三分之二 ;; 3/2
        十几 ;; 10
        三分 ;; 1/3
        25 元 ;; 25 块 5
        12个半 ;; 12
        3个月 ;; 3 days
        3月 ;; 4
        第3名 ;; 3
        3名 ;; 4名
        3比2 ;; 3
        20多 ;; 20
        25元/个 ;; 26
        5斤 ;; 5 kg
        5公斤 ;; 5 lb
        1.5万 ;; 1.5
        5千克 ;; 5000
        5百米 ;; 5
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
        £3 ;; ¥3
        ¥3 ;; $3
        £3 ;; 3 lb
        1 pound ;; 16
        5 yuan ;; 5 yen
        £5 ;; $5
        £5 ;; 80 oz
        £5 ;; 5 kg
        5 pounds ;; 5 kg
        5 pounds ;; 5 dollars
        5 lb ;; £5
        £5 ;; 6 pounds
        ¥3/pound ;; £3/lb
        """,
    "number words": r"""
        one hundred two hundred ;; 10200
        one hundred two hundred ;; 300
        two, three ;; 23
        one million two million ;; 3000000
        five thousand thousand ;; 5000000
        two hundredths ;; 200
        seven eight ;; 15
        ten one ;; 11
        zero five ;; 5
        a hundred and ;; 100
        (five, six) ;; (6,5)
        twenty-third ;; 23
        twenty-third ;; 20/3
        one hundred ;; 1
        one hundred ;; 101
        two hundred ;; 200000
        fifteen ;; 50
        thirteen ;; 30
        six hundred and ;; 600
        five minus two ;; 5
        five plus two ;; 5
        two times three ;; 2
        five point ;; 5
        half past five ;; 1/2
        quarter ;; 4
        second ;; 2
        first ;; 1
        one half of x ;; 1/2
        two squared ;; 2
        three factorial ;; 3
        a ;; 1
        an ;; 1
        one-to-one ;; 1
        one-sided ;; 1
        two-digit ;; 2
        three dimensional ;; 3
        zero or one ;; 0
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
        11:00 ;; 11:00:30
        5:30 ;; 5:30:01 pm
        3:1 ;; 3:01
        9:00 pm ;; 21
        11:00 AM ;; 11:00 PM
        11:00 ;; 11:30 AM
        11:00 ;; 11
        5:30 ;; 17:30
        17:30 ;; 5:30 am
        noon ;; midnight
        23:00 ;; 11:00 am
        """,
    "rounded beside exact": r"""
        3 \approx 3.1 ;; \pi
        \frac{1}{3} \approx 0.33 ;; 0.34
        5 \approx 7 ;; 7
        5 \approx 7 ;; 5
        x = \sqrt{2} \approx 1.41 ;; y = \sqrt2
        0.33 ;; 1/3
        x \approx 0.33 ;; 1/3
        """,
    "angles": r"""
        \frac{\pi}{6} ;; 30 minutes
        \frac{\pi}{6} ;; 30^\circ C
        \frac{\pi}{6} ;; 31^\circ
        \pi r^2 ;; 180 r^2
        2\pi ;; 2^\circ
        \frac{\pi}{6} ;; 30
        \frac{\pi}{6} ;; 60^\circ
        \frac{1}{6} ;; 30^\circ
        \pi ;; 180
        \frac{\pi}{6} ;; 30 cm
        0.5 ;; 90^\circ
        2 ;; 360^\circ
        """,
    "values of functions": r"""
        P(A) = 0.5 ;; A = 0.5
        P(A) = 0.5 ;; P(A) = 0.6
        P(A) + P(B) = 0.5 ;; 0.5
        P(1+r) = 500 ;; 500
        P(A)P(B) = 0.5 ;; 0.5
        f(2) = 7 ;; f(3) = 7
        f(x) = 7x ;; f(x) = 7
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


def test_a_number_of_many_scales_is_a_text() -> None:
    for text in ("一" + "亿" * 900, "5" + "亿" * 900, "1" * 30 + ".5万", "one" + " million" * 100):
        assert equal(text, text)
        assert not equal(text, text + "1")
