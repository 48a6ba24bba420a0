"""General talk, so that the model doesn't forget it: questions here, replies in two files.

    python -m bench.dualmode.talk MODEL_FOLDER > bench/dualmode/more_talk.jsonl

lets the untouched SmolLM2 answer; a model that is trained on its own words in the new template
keeps them. The file has the replies to the first 1,151 of the questions. `talk.jsonl` has those to
earlier ones, and stays as it is: its words are the names in tasks that are held out
(`example.WORDS`).
"""

from __future__ import annotations

import argparse
import json
import re
from functools import cache
from pathlib import Path
from random import Random

from bench.dualmode.example import Example, Side, pick

REPLIES = Path(__file__).with_name("talk.jsonl")
MORE_REPLIES = Path(__file__).with_name("more_talk.jsonl")

NOUNS = """\
rain,snow,gravity,photosynthesis,a volcano,an earthquake,the moon,the sun,a comet,a galaxy,oxygen,carbon,iron,gold,
salt,sugar,yeast,bread,cheese,coffee,tea,chocolate,rice,pasta,honey,butter,an onion,garlic,a tomato,an apple,
a cat,a dog,a horse,a whale,a bee,an owl,a penguin,an elephant,a spider,a bat,the heart,the brain,the lungs,blood,
sleep,a dream,memory,pain,a fever,a vaccine,a bridge,a ship,a bicycle,a train,an aeroplane,a computer,the internet,
a battery,electricity,a magnet,a light bulb,a telescope,a microscope,a clock,paper,glass,steel,wood,plastic,cotton,
music,a piano,a violin,a guitar,painting,a poem,a novel,theatre,dance,photography,football,tennis,swimming,chess,
yoga,a budget,a bank,money,a tax,insurance,a contract,a law,a court,democracy,a parliament,an election,a city,
a village,a river,a lake,the ocean,a desert,a forest,a mountain,an island,the Arctic,Africa,France,Japan,Brazil,
Canada,Egypt,India,Italy,Germany,China,Australia,Einstein,Newton,Darwin,Mozart,Shakespeare,Leonardo da Vinci,
Marie Curie,Cleopatra,Napoleon,Gandhi,a garden,a tree,a rose,grass,soil,compost,weather,wind,a cloud,thunder,fog,
a rainbow,ice,steam,fire,smoke,a candle,soap,a mirror,a key,a lock,a window,a chair,a hammer,a screw,a pump,an engine,
a thermostat,a sensor,a robot,an algorithm,a database,a password,a virus,encryption,a browser,an operating system\
""".replace("\n", "").split(",")
ASKS = [
    "What is {n}?", "Tell me something about {n}.", "Why is {n} important?", "Explain {n} to a child.",
    "Give me a fun fact about {n}.", "Write one sentence about {n}.", "Describe {n} in a few words.", "What do people use {n} for?",
]  # fmt: skip
MORE_NOUNS = """\
a lemon,an orange,a banana,a grape,a cherry,a strawberry,a carrot,a potato,a pepper,cabbage,spinach,a bean,a pea,
corn,wheat,oats,flour,an egg,milk,yoghurt,cream,olive oil,vinegar,pepper and salt,cinnamon,vanilla,ginger,mustard,soup,
a salad,a sandwich,pizza,a pancake,ice cream,a cookie,jam,wine,beer,juice,water,a cow,a pig,a sheep,a goat,a chicken,
a duck,a goose,a rabbit,a mouse,a fox,a wolf,a bear,a deer,a lion,a tiger,a monkey,a giraffe,a zebra,a camel,a dolphin,
a shark,a salmon,an octopus,a crab,a frog,a snake,a turtle,a crocodile,an ant,a butterfly,a mosquito,an eagle,a parrot,
a swan,a dinosaur,bone,skin,muscle,a tooth,the eye,the ear,the stomach,a cold,an allergy,exercise,stretching,a walk,
running,cycling,hiking,skiing,climbing,basketball,volleyball,golf,sailing,a marathon,the Olympic Games,a puzzle,
a board game,a film,a comic,a newspaper,a magazine,radio,television,a song,an orchestra,a drum,a flute,jazz,opera,
a sculpture,a museum,architecture,a cathedral,a castle,a pyramid,a lighthouse,a tunnel,a road,a map,a compass,a car,
a bus,a tram,a lorry,a motorcycle,a boat,a submarine,a rocket,a satellite,an airport,a harbour,a passport,a hotel,a tent,
a holiday,a birthday,a wedding,New Year,a gift,a letter,a postcard,a telephone,a smartphone,a camera,a printer,
a keyboard,a website,an email,software,a spreadsheet,a chip,a laser,radar,a solar panel,a wind turbine,a dam,coal,oil,
natural gas,nuclear power,hydrogen,copper,silver,aluminium,concrete,a brick,sand,clay,rubber,leather,wool,silk,a needle,
a thread,a button,a zip,a shoe,a hat,a coat,a glove,an umbrella,glasses,a ring,a watch,a table,a bed,a shelf,a cupboard,
a carpet,a curtain,a lamp,a stove,a fridge,a dishwasher,a washing machine,a vacuum cleaner,a broom,a bucket,a ladder,
a saw,a drill,a nail,a rope,paint,glue,a fence,a gate,a roof,a chimney,a cellar,a well,a fountain,a park,a farm,a field,
a tractor,a harvest,a seed,a root,a leaf,a flower,a sunflower,a tulip,an oak,a pine,a mushroom,moss,a swamp,a beach,
a wave,the tide,a glacier,an avalanche,a storm,a hurricane,a drought,a flood,the seasons,spring,summer,autumn,winter,
day and night,an eclipse,a star,Mars,Jupiter,a black hole,an atom,a molecule,a cell,DNA,evolution,bacteria,energy,force,
friction,pressure,temperature,light,sound,a colour,zero,a fraction,a triangle,a circle,a graph,statistics,probability,
logic,language,grammar,an alphabet,a dictionary,an encyclopedia,history,the Roman Empire,the Middle Ages,a king,a knight,
a pirate,a president,a treaty,a flag,a currency,inflation,a company,an invoice,a factory,a market,a shop,a school,
a university,a teacher,a doctor,a nurse,a firefighter,a farmer,a baker,a plumber,an electrician,an engineer,a scientist,
friendship,family,trust,courage,patience,kindness,honesty,humour,a habit,a goal,a plan,teamwork,a meeting,feedback,
Spain,Greece,Turkey,Norway,Sweden,Poland,Mexico,Argentina,Kenya,Morocco,South Korea,Vietnam,Iceland,Switzerland,London,
New York,Paris,Rome,Tokyo,Berlin,the Sahara,the Amazon,the Alps,the Nile,the Pacific,Galileo,Beethoven,Picasso,
Florence Nightingale,Amelia Earhart,Charles Dickens,Isaac Asimov,Nelson Mandela,Martin Luther King\
""".replace("\n", "").split(",")
"""What more is asked about, of whose replies `WORDS` knows nothing."""

ASIDES = [
    "A simple question; I can answer at once.",
    "Nothing to work out here.",
    "This needs no steps.",
    "Just talk; a short answer.",
]

AT_ONCE = 48

PEOPLE = [
    "The council",
    "The school",
    "The museum",
    "The factory",
    "The library",
    "The hospital",
    "The club",
    "The farm",
]
DOINGS = ["opened a new hall", "closed its old wing", "hired ten workers", "bought two electric buses", "won a prize",
          "moved to a larger building", "planted a hundred trees", "cut its energy use by a third"]  # fmt: skip
WHENS = [
    "last week",
    "in March",
    "on Monday",
    "this year",
    "in the autumn",
    "yesterday",
    "on Friday",
    "in May",
]
DETAILS = ["Many visitors came to see it.", "The work took longer than planned.", "The local paper wrote about it.",
           "A band played and there was cake.", "The neighbours had waited for it for years.", "The weather was fine.",
           "Some people had asked for it many times.", "The manager thanked all who had helped.",
           "It had been discussed in several meetings.", "Children sang two songs.", "The cost was lower than expected.",
           "Photographs can be seen in the entrance."]  # fmt: skip


def questions() -> list[str]:
    """Return those whose replies came later, in the order in which they are asked."""
    asked = [ask.format(n=noun) for noun in MORE_NOUNS for ask in ASKS]
    Random(8).shuffle(asked)
    return asked


def talk(rng: Random, side: Side) -> Example:
    held = side is Side.HELD_OUT
    rows = [row for index, row in enumerate(replies(REPLIES)) if (index % 10 == 0) == held]
    row = rng.choice(rows if held else rows + replies(MORE_REPLIES))
    return Example(category="talk", kind="talk", question=row["question"], answer=row["answer"],
                   thought=rng.choice(ASIDES), check="none")  # fmt: skip


def summary(rng: Random, side: Side) -> Example:
    who, did, when = pick(rng, side, PEOPLE), pick(rng, side, DOINGS), pick(rng, side, WHENS)
    sentences = rng.sample(DETAILS, rng.randint(2, 4))
    main = rng.choice(
        (f"{who} {did} {when}.", f"{when[0].upper()}{when[1:]}, {who[0].lower()}{who[1:]} {did}.")
    )
    sentences.insert(rng.choice((0, 0, 1)), main)
    asks = [
        "Summarise in one sentence: {t}",
        "Give me a one-sentence summary. {t}",
        "{t}\n\nSum that up in one sentence.",
        "What does this text say, in one sentence? {t}",
    ]
    answer = f"{who} {did} {when}."
    return Example(
        category="talk",
        kind="summary",
        question=pick(rng, side, asks).format(t=" ".join(sentences)),
        answer=answer,
        expected=answer,
        check="words",
        thought=f"The main point: {who[0].lower()}{who[1:]} {did}.",
    )


GENERATORS = [(talk, 12), (summary, 3)]


@cache
def replies(path: Path) -> list[dict[str, str]]:
    """Return the questions and replies of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def main() -> None:
    """Let the untouched model answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="Its folder.")
    arguments = parser.parse_args()
    from worker.engine import blas

    blas.prepare()
    from mlx_lm import batch_generate

    from worker.engine import models

    loaded = models.load(arguments.model)
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face. Answer in one or two short sentences."
    asked = questions()
    for begin in range(0, len(asked), AT_ONCE):
        batch = asked[begin : begin + AT_ONCE]
        prompts = [
            loaded.tokenizer.apply_chat_template(
                [{"role": "system", "content": system}, {"role": "user", "content": question}],
                add_generation_prompt=True,
            )
            for question in batch
        ]
        said = batch_generate(loaded.model, loaded.tokenizer, prompts, max_tokens=72)
        for question, text in zip(batch, said.texts, strict=True):
            sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(text.split()))
            whole = [sentence for sentence in sentences[:2] if sentence.endswith((".", "!", "?"))]
            if whole:
                answer = " ".join(whole)
                print(json.dumps({"question": question, "answer": answer}), flush=True)


if __name__ == "__main__":
    main()
