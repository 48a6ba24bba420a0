"""More ways to ask each kind of question, to learn from only; no logic but the drawing.

A model that has seen three wordings of a question learns the three; of thirty it learns what is
asked. No held-out wording is among these.
"""

from __future__ import annotations

from random import Random

from bench.dualmode.example import Side, of_side


def wording(rng: Random, side: Side, kind: str, asks: list[str]) -> str:
    """Choose a wording of a side, to learn from also one of `MORE`."""
    own = of_side(side, asks)
    return rng.choice([*own, *MORE.get(kind, ())] if side is Side.TRAIN else own)


MORE = {
    kind: lines.strip().split("\n")
    for kind, lines in {
        "all turn_off": """
every lamp off
lights off in the whole house
make it dark everywhere
no lights any more
turn off the lights in all rooms
switch all the lamps off
all the lights should be off
kill all lights
lights off everywhere
put out all lights
the lights off, all of them
I don't need any light any more
""",
        "all turn_on": """
every lamp on
lights on in the whole house
make it bright everywhere
turn on the lights in all rooms
switch all the lamps on
all the lights should be on
lights on everywhere
I want all lights on
the lights on, all of them
light everywhere
get all lights on
""",
        "actions system": """
You run the devices of a home. Output JSON {"actions": [{"device", "action", "value"}]}; "error" where a device is missing.
Home control. Give one JSON object: "actions" lists device, action and value; "error" says what is not there.
A user speaks to their home. Write what is to be done as JSON: {"actions": [{"device", "action", "value"}]} or {"error"}.
Voice commands to JSON. "actions" is a list of device, action, value. For a device that is not listed: "error".
Answer with JSON and nothing else: "actions" with device, action and value, or "error" if no such device exists.
House automation. Reply with one object, "actions" (a list of device, action, value), or "error" for unknown devices.
Your output is one JSON object. "actions": list of device, action, value. "error": the device is not in the list.
Smart house assistant. Commands become {"actions": [{"device", "action", "value"}]}; what is not listed becomes {"error"}.
""",
        "addition": """
Sum of {a} and {b}?
What do you get when {a} and {b} are added?
I have {a} and then {b} on top. How many is that?
Work out {a} + {b}
If {b} is added to {a}, what comes out?
{a} and {b} more: what is the total?
Tell me what {a} plus {b} comes to.
The first number is {a}, the second {b}. Their sum?
""",
        "subtraction": """
What remains when {b} is taken from {a}?
From {a}, remove {b}. What remains?
Work out {a} - {b}
What is {a} reduced by {b}?
If I give away {b} of {a}, how many stay?
Of {a}, {b} are gone. How many are left?
Deduct {b} from {a}.
What do you get if you go {b} down from {a}?
""",
        "multiplication": """
Work out {a} * {b}
{a} x {b} is what?
What do {b} lots of {a} come to?
What is {a} taken {b} times?
If {a} and {b} are multiplied, what comes out?
Tell me the result of {a} times {b}.
{b} groups of {a}: how many in all?
Give me {a} by {b}.
""",
        "division": """
Work out {a} / {b}
{a} over {b} is what?
How many times does {a} hold {b}?
How many {b}s are in {a}?
Split {a} into {b} equal parts. How large is one part?
What is {a} shared by {b}?
If {a} is divided by {b}, what comes out?
Into {a}, how many times can {b} be put?
A {b}th part of {a} is how much?
How many groups of {b} can be made from {a}?
""",
        "two_steps": """
{a} * {b} + {c} =
What is {c} more than {a} times {b}?
First multiply {a} and {b}, then add {c}. What comes out?
Work out {a} times {b} and put {c} on top.
The product of {a} and {b}, plus {c}?
Add {c} to the product of {a} and {b}.
{b} times {a} and {c} more: how much?
""",
        "three_terms": """
{a} + {b} + {c} =
What is the total of {a}, {b} and {c}?
{a}, then {b} more, then {c} more. How many?
Work out {a} plus {b} plus {c}.
What is the sum of the three numbers {a}, {b}, {c}?
Put {a}, {b} and {c} together. What is the result?
""",
        "product_less": """
{a} * {b} - {c} =
What is {c} less than {a} times {b}?
First multiply {a} and {b}, then subtract {c}. What comes out?
The product of {a} and {b}, less {c}?
Remove {c} from the product of {a} and {b}.
Subtract {c} from {b} times {a}.
Work out {a} times {b} and go {c} down.
""",
        "less_twice": """
{a} - {b} - {c} =
{a} minus {b} minus {c}?
Of {a}, first {b} and then {c} are gone. How many are left?
Begin with {a}, remove {b}, remove {c}. What remains?
What remains of {a} when {b} and {c} are both taken off?
Go from {a} down by {b} and again by {c}. What number is that?
""",
        "larger_unit": """
Change {n} {big} into {small}.
How many {small} do {n} {big} make?
Express {n} {big} in {small}.
In {n} {big}, how many {small} are there?
{n} {big} are how many {small}?
Give {n} {big} as {small}.
""",
        "smaller_unit": """
Change {t} {small} into {big}.
How many {big} do {t} {small} make?
Express {t} {small} in {big}.
In {t} {small}, how many {big} are there?
{t} {small} are how many {big}?
Give {t} {small} as {big}.
""",
        "mixed_unit": """
Change {n} {big} and {r} {small} into {small}.
How many {small} do {n} {big} and {r} {small} make?
Express {n} {big} {r} {small} in {small}.
{n} {big} with {r} {small} added are how many {small}?
Give {n} {big} and {r} {small} as {small} alone.
""",
        "largest": """
Name the {w} of {v}.
{v}: which number is the {w}?
Look at {v}. Which is the {w}?
Among {v}, tell me the {w}.
Pick the {w} from {v}.
The {w} one of these numbers, {v}?
""",
        "compared": """
True or not: {a} is {w} {b}. Yes or no?
Would {a} be {w} {b}?
Does {a} lie {w} {b}?
Tell me whether {a} is {w} {b}, yes or no.
A value of {a} and a bound of {b}: is the value {w} the bound?
Can one say that {a} is {w} {b}?
Is it so that {a} is {w} {b}?
""",
        "fact": """
Work out {q}
Tell me {q}.
{q} is what?
What does {q} make?
""",
        "even": """
Is it right that {a} is {q}?
Is {a} an {q} number?
Can we say {a} is {q}?
Tell me whether {a} is {q}.
The number {a}: is it {q}?
""",
        "decimals": """
Of {a} and {b}, which is more?
{a} or {b}: which is the larger?
Which number is greater, {a} or {b}?
Take the bigger one of {a} and {b}.
Compare {a} with {b}. Which one is larger?
""",
        "ordering": """
Give {v} in {w}.
List {v} in {w}.
Bring {v} into {w}.
{v}: put them in {w}.
What is {v} in {w}?
""",
        "who_has_most": """
{l}. Which {x} has the {w} in it?
{l}. Tell me the {x} with the {w}.
We know this: {l}. Where is the {w}, in which {x}?
{l}. The {w} is in which {x}?
""",
        "ends_together": """
Add up the largest and the smallest number of {v}.
{v}: what is the largest plus the smallest?
Look at {v}. What do the biggest and the smallest make?
Sum the highest and the lowest of {v}.
""",
        "pair_difference": """
What is the distance between {a} and {b}?
{a} and {b}: how much is between them?
How much is the larger of {a} and {b} above the smaller?
How many lie between {a} and {b}, as a difference?
How much must be added to the smaller of {a} and {b} to get the larger?
""",
        "later": """
It is {t} now; {m} minutes go by. What does the clock say?
The washing machine starts at {t} and takes {m} minutes. When is it ready?
Starting at {t}, a walk of {m} minutes ends when?
Add {m} minutes to {t}.
A pump is switched on at {t} for {m} minutes. When is it switched off?
{t} plus {m} minutes?
At {t} a lesson of {m} minutes begins. When is it over?
A cake goes in at {t} and needs {m} minutes. At what time is it taken out?
""",
        "between": """
From {a} to {b}: how many minutes?
It began at {a} and ended at {b}. How many minutes did it take?
How many minutes pass between {a} and {b}?
A bus leaves at {a} and arrives at {b}. How many minutes does it travel?
How long does a film from {a} to {b} last, in minutes?
The light was on from {a} until {b}. How many minutes was that?
Count the minutes from {a} to {b}.
""",
        "hours_back": """
{t} minus {h} hours: what time is it?
Go back {h} hours from {t}.
It is {t}; {h} hours earlier it was what time?
After {h} hours of work it is {t}. When did the work begin?
A flight of {h} hours landed at {t}. At what time did it take off?
The oven was on for {h} hours and went off at {t}. When was it switched on?
""",
        "weekday": """
{d} plus {n} days: which day?
Count {n} days on from {d}. Which weekday is that?
A parcel is sent on {d} and takes {n} days. On which weekday does it come?
It is {d}. In {n} days it is which day?
The filter was changed on a {d}; it is due after {n} days. Which weekday is that?
""",
        "day_of_month": """
{d} plus {n} days: which date?
Count {n} days on from {d}. Which date is it?
On {d} a course of {n} days begins; on what date, {n} days later, is it over?
It is {d}. What is the date after {n} days?
A bill of {d} is to be paid within {n} days. Which date is the last?
""",
        "gain and loss": """
{n} had {a} {g}. Then {n} got {b} more and sold {c}. How many {g} are left?
{a} {g} lie on a table. {b} are added, {c} are taken. How many lie there now?
A truck carries {a} {g}, loads {b} more and unloads {c}. How many {g} does it carry?
First there are {a} {g}, then {b} come and {c} go. How many are there in the end?
{n} owns {a} {g}. {b} are given to {n}; {c} are broken. How many {g} are whole?
On Monday a store had {a} {g}. It received {b} and sold {c}. How many {g} does it have?
""",
        "packs": """
{n} has {a} boxes of {b} {g} and {c} {g} besides. How many {g} in total?
{b} {g} are in a bag; {a} bags and {c} single {g} are how many {g}?
In each of {a} rooms there are {b} {g}, in the hall {c}. How many {g} are there?
A truck brings {a} pallets with {b} {g} each and {c} loose {g}. How many {g} does it bring?
{n} has {c} {g} and buys {a} bags with {b} {g} in each. How many {g} does {n} have now?
{a} times {b} {g} and {c} more {g}: how many are there?
""",
        "cost": """
How much are {a} {g} at {b} euros and {c} cakes at {d} euros, in all?
{n} takes {a} {g} for {b} euros each. Then {c} pens for {d} euros each. What is the bill?
{g} cost {b} euros, tickets {d} euros each. {n} buys {a} {g} and {c} tickets. What is to be paid?
The price of one of the {g} is {b} euros and of a ball {d} euros. What do {a} {g} and {c} balls cost?
{n} sells {a} {g} at {b} euros and {c} hats at {d} euros. How many euros does {n} get?
""",
        "sharing": """
{p} people divide {t} {g} equally. How many does each one have?
{t} {g} in {p} equal rows: how many {g} in a row?
{n} hands out {t} {g} to {p} people, each the same number. How many per person?
Each of {p} trucks takes the same number of {t} {g}. How many does one take?
{t} {g} are laid on {p} tables, as many on each. How many {g} are on one table?
""",
        "speed": """
{n} rides {v} km an hour. How many km in {h} hours?
In one hour a machine fills {v} bottles. How many in {h} hours?
A robot sorts {v} {g} a minute. How many does it sort in {h} minutes?
{v} {g} are used a day. How many {g} in {h} days?
Every hour {v} litres flow in. How many litres after {h} hours?
A ship sails {v} km a day for {h} days. How far does it come, in km?
""",
        "duration": """
A robot sorts {r} {g} a minute. After how many minutes are {t} {g} sorted?
{r} {g} are used a day. For how many days are {t} {g} enough?
Every minute {r} litres flow in. How many minutes until there are {t} litres?
{n} reads {r} pages an hour. How many hours do {t} pages take?
With {r} km a day, how many days does one need for {t} km?
""",
        "energy": """
A device of {w} watts is on for {h} hours on each of {d} days. How many watt hours?
{h} hours a day, {d} days, {w} watts: how many watt hours in all?
A {w} watt radio plays {h} hours a day. How many watt hours does it take in {d} days?
An oven of {w} watts is used {h} hours a day. What does that make in {d} days, in watt hours?
A {w} watt server works {h} hours each day for {d} days. How many watt hours does it use?
""",
        "fewer": """
{x} owns {a} {g}; {y} owns {b} {w}. What is the number of {y}'s {g}?
{y} has {b} {g} {w} than {x}, who has {a}. How many does {y} have?
{y} is {b} years {o} than {x}. {x} is {a}. What is {y}'s age?
{x} found {a} {g}. {y} found {b} {w} than that. How many did {y} find?
{x} is {a}. How old is {y}, who is {b} years {o}?
""",
        "tallest": """
{t}. Tell me the {w}.
We know that {t}. The {w} is who?
{t}. Who of the three is the {w}?
Given that {t}, say who is the {w}.
""",
        "rule": """
If {c}, then {r}; otherwise {o}. At the moment {f}. Can we say that {q}?
Whenever {c}, {r}. Otherwise {o}. Today {f}. Is it so that {q}?
{r} if {c}, and {o} if not. It is known that {f}. Does that mean that {q}?
Fact: {f}. Rule: when {c}, {r}, and when not, {o}. Is it correct that {q}?
""",
        "divisible": """
Does {a} divide by {b} with nothing left over?
Can {a} things be shared by {b} with none left?
Is there a rest when {a} is divided by {b}? Say yes if there is none.
Is {a} in the table of {b}?
Does {b} go into {a} without a rest?
""",
        "counting": """
Of {v}, how many are {w} {x}?
How many of the numbers {v} lie {w} {x}?
Count those of {v} that are {w} {x}.
Look at {v}. How many of them are {w} {x}?
The numbers are {v}. How many are {w} {x}?
""",
        "over_limit": """
{m} shows {l}. Which of these are beyond their maximum?
Readings at {m}: {l}. Which exceed the limit?
{m}: {l}. Is anything too high, and what?
{m} has {l}. List the readings that are over.
""",
        "in_range": """
{m}, readings: {l}. Which are out of range, low or high?
Values of {m}: {l}. Name what is too low or too high.
{m}: {l}. What is wrong here, and is it low or high?
""",
        "diagnosis": """
{m} has {l}. The table says {r}. What is the fault?
Causes are {r}. Now {m} shows {l}. What is the cause?
What is wrong with {m}? It shows {l}. Known causes: {r}.
""",
        "trend": """
{m} had this {n}: {v} {u}. Did it rise or fall from first to last, and by how much?
{n} of {m}, one reading an hour: {v} {u}. Rise or fall, and how much in all?
Readings of {n} at {m}: {v} {u}. Which way do they go, and by how much?
""",
        "margin": """
The {n} at {m} may be {x} {u} and is {v}. How far over or below the limit is that?
{m} shows a {n} of {v} {u} where {x} is the limit. By how much is it over or below?
Allowed are {x} {u}; the {n} of {m} is {v}. How much over or below is it?
""",
        "highest_reading": """
{l}: these are readings of {n}. Where is the {w} one?
At three machines the {n} is {l}. Name the one with the {w}.
{n} today: {l}. Which of them has the {w}?
""",
        "table": """
Which of the machines is over, and what is to be looked at?
Is something over its limit? Say which machine and which reading.
Where is a limit exceeded, and what should be checked?
Is there a machine that needs a check first? Which one?
""",
    }.items()
}
