"""The words of a home: rooms, people, devices, and how commands are said; no logic here."""

from __future__ import annotations

ROOMS = """\
kitchen,bedroom,hall,garage,living room,bathroom,office,attic,dining room,cellar,terrace,nursery,guest room,garden,
balcony,laundry,study,library,pantry,porch,hallway,staircase,entrance,basement,workshop,shed,greenhouse,conservatory,
sauna,gym,playroom,kids room,main bedroom,small bedroom,upstairs hall,downstairs toilet,wardrobe,utility room,loft,
veranda,patio,driveway,courtyard,winter garden,music room,sewing room,den,foyer,lounge,parlour,studio,wine cellar,
boiler room,server room,meeting room,canteen,reception,corridor,lobby,warehouse,stable,barn,kennel,pool,shower room,
guest bath,dressing room,reading corner,breakfast room,summer house,cloakroom,storage room,bike shed,carport,roof deck,
north wing,south wing,east room,west room,front yard,back yard,first floor,second floor,top floor,ground floor\
""".replace("\n", "").split(",")
PEOPLE = """\
Anna,Ben,Carla,David,Emma,Finn,Greta,Hugo,Ida,Jonas,Klara,Leo,Mia,Noah,Olga,Paul,Rosa,Sam,Tilda,Victor\
""".replace("\n", "").split(",")
LIGHTS = [
    "light", "lamp", "spots", "ceiling light", "floor lamp", "desk lamp", "wall light", "lights", "night light",
    "reading light", "chandelier", "light strip",
]  # fmt: skip
COVERS = ["blind", "shutter", "curtain", "awning", "blinds", "shutters", "curtains", "roller blind"]
PLAYERS = ["radio", "speaker", "television", "stereo", "soundbar", "TV", "music box", "projector"]
HEATERS = ["heating", "thermostat", "radiator", "floor heating"]
FANS = ["fan", "ceiling fan", "extractor", "ventilation"]
WINDOWS = ["window", "skylight", "vent", "roof window"]
DOORS = ["door", "gate", "front door", "side door"]
SWITCHES = [
    "socket", "vacuum", "pump", "dehumidifier", "sprinkler", "humidifier", "coffee machine", "kettle", "heater",
    "air purifier", "dishwasher", "oven", "fountain", "printer", "towel rail", "aquarium", "boiler", "freezer",
    "siren", "charger",
]  # fmt: skip
CLASSES = {
    kind: name
    for name, kinds in {
        "light": LIGHTS, "cover": COVERS, "player": PLAYERS, "heater": HEATERS, "fan": FANS,
        "window": WINDOWS, "door": DOORS, "switch": SWITCHES,
    }.items()
    for kind in kinds
}  # fmt: skip
SIMPLE = [kind for kind in CLASSES if kind not in LIGHTS]
COLOURS = [
    "red", "green", "blue", "purple", "white", "orange", "yellow", "pink", "turquoise", "warm white", "gold",
    "violet",
]  # fmt: skip

PHRASES = {
    name: phrases.replace("\n", "").split("|")
    for name, phrases in {
        "turn_on": """\
turn on {d}|switch on {d}|turn {d} on|switch {d} on|{d} on|start {d}|I need {d} on|
I want {d} on|get {d} going|let {d} run|activate {d}|power {d} on|power on {d}|put on {d}""",
        "turn_off": """\
turn off {d}|switch off {d}|turn {d} off|switch {d} off|{d} off|stop {d}|
I don't need {d} any more|I want {d} off|kill {d}|deactivate {d}|power off {d}|power {d} off|
shut off {d}|{d} should be off""",
        "open": """\
open {d}|pull {d} open|raise {d}|I want {d} opened|pull up {d}|{d} up|open up {d}|open {d} up|
get {d} open|I want {d} open""",
        "close": """\
close {d}|shut {d}|lower {d}|get {d} closed|pull down {d}|{d} down|I want {d} closed|
close {d} up|let {d} down|close up {d}""",
        "lock": """\
lock {d}|make sure {d} is locked|bolt {d}|I want {d} locked|secure {d}|{d} locked""",
        "unlock": """\
unlock {d}|make sure {d} is unlocked|release {d}|I want {d} unlocked|undo the lock of {d}|
I need {d} unlocked""",
        "brightness": """\
dim {d} to {v} percent|set {d} to {v} percent|{d} at {v} percent|bring {d} to {v} %|
make {d} {v} percent bright|put {d} to {v} percent|{d} to {v} %|turn {d} to {v} percent|
I want {d} at {v} percent|brightness of {d} to {v}|lower {d} to {v} percent|
set the brightness of {d} to {v} percent""",
        "position": """\
set {d} to {v} percent|move {d} to {v} percent|{d} to {v} percent|bring {d} to {v} %|
put {d} at {v} percent|I want {d} at {v} percent""",
        "temperature": """\
set {d} to {v} degrees|heat {d} to {v} degrees|{d} to {v} degrees|I want {d} at {v} degrees|
turn {d} to {v}|make {d} {v} degrees|put {d} on {v}|bring {d} to {v} degrees""",
        "speed": """\
set {d} to speed {v}|{d} on level {v}|run {d} at speed {v}|put {d} on step {v}|
speed {v} for {d}|{d} to level {v}""",
        "volume": """\
set {d} to volume {v}|{d} volume {v}|volume of {d} to {v}|play {d} at volume {v}|
turn {d} to volume {v}|put the volume of {d} at {v}""",
        "color": """\
make {d} {v}|turn {d} {v}|set {d} to {v}|I want {d} {v}|colour {d} {v}|give {d} a {v} colour|
change {d} to {v}|{d} in {v}""",
    }.items()
}
"""How a command may be said, by what is to be done: `{d}` is the device, `{v}` the value."""

BEFORE = [
    "",
    "",
    "",
    "please ",
    "hey, ",
    "can you ",
    "could you ",
    "ok, ",
    "now ",
    "um ",
    "I'd like you to ",
    "would you ",
]
AFTER = ["", "", "", "", " please", " now", " for me", " thanks", ", thank you", " will you"]
