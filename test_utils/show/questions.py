"""The questions of the show's problems, and the talk in its forum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question with one right answer, and wrong ones: the more frequent, the earlier."""

    text: str
    right: str
    wrong: Sequence[str]


def _asked(text: str, right: str, *wrong: str) -> Question:
    return Question(text, right, wrong)


_SKY: dict[str, Sequence[Question]] = {
    "Dark adaptation": (
        _asked("How long does dark adaptation take?", "about 30 minutes", "about 5 minutes", "a whole night"),
        _asked("Which light disturbs it least?", "dim red", "dim blue", "bright green"),
    ),
    "Averted vision": (
        _asked("Why do you look beside a faint star?", "rods are beside the centre", "cones are beside the centre"),
    ),
    "The Big Dipper": (
        _asked("What kind of group is it?", "an asterism", "a constellation", "a star cluster"),
        _asked("To which constellation does it belong?", "Ursa Major", "Ursa Minor", "Draco"),
        _asked("To which star do its pointers lead?", "Polaris", "Vega", "Arcturus"),
    ),
    "The Big Dipper 2": (
        _asked("Which star of the handle is double to the eye?", "Mizar", "Alkaid", "Dubhe"),
        _asked("Which star does the handle lead to?", "Arcturus", "Polaris", "Capella"),
        _asked("In which season is it highest in the evening?", "spring", "summer", "winter"),
    ),
    "Star hopping": (
        _asked("How wide is a fist at arm's length?", "10 degrees", "1 degree", "45 degrees"),
        _asked("Where do you begin?", "at a bright star", "at the target", "at the horizon"),
        _asked("Which instrument shows the most sky?", "binoculars", "a large telescope", "a long refractor"),
    ),
    "Sunrise is not at six": (
        _asked("When does the Sun rise due east?", "at the equinoxes", "every day", "at the June solstice"),
        _asked("What lifts the rising Sun above the horizon?", "refraction", "reflection", "parallax"),
        _asked("Where are days longest in June?", "near the North Pole", "at the equator", "near the South Pole"),
    ),
    "Sidereal time": (
        _asked("How long is a sidereal day?", "23 h 56 min", "24 h", "24 h 4 min"),
        _asked("A star rises tomorrow ...", "4 minutes earlier", "4 minutes later", "at the same time"),
    ),
    "Tilt": (
        _asked("Why is winter cold?", "the Sun stands lower", "the Sun is farther away", "the Sun is weaker"),
        _asked("How large is the tilt?", "23.4 degrees", "45 degrees", "90 degrees"),
        _asked("Without tilt there would be no ...", "seasons", "days and nights", "eclipses"),
    ),
    "Tilt 2": (_asked("When is the Earth closest to the Sun?", "in January", "in July", "in March"),),
    "Solstices and equinoxes": (
        _asked("Which day is longest in the south?", "the December solstice", "the June solstice", "an equinox"),
        _asked("Where is the Sun overhead at an equinox?", "at the equator", "at a tropic", "at a pole"),
    ),
    "Why there is no dark side": (
        _asked("How often does the Moon rotate in a month?", "once", "never", "about 29 times"),
        _asked("When is the far side lit?", "at new Moon", "never", "at full Moon"),
    ),
    "Earthshine": (
        _asked("What lights the dark part of a thin Moon?", "the Earth", "the stars", "the Moon's own heat"),
        _asked("When is earthshine brightest?", "near new Moon", "near full Moon", "at half Moon"),
    ),
    "Umbra and penumbra": (
        _asked("What is seen from the umbra?", "a total eclipse", "a partial eclipse", "no eclipse"),
        _asked("What causes the phases of the Moon?", "our view of its lit half", "the Earth's shadow", "clouds"),
    ),
    "Umbra and penumbra 2": (
        _asked("A lunar eclipse comes at ...", "full Moon", "new Moon", "half Moon"),
        _asked("Why not every month?", "the orbit is tilted", "the Moon is too small", "the shadow is too short"),
        _asked("Why is the eclipsed Moon red?", "light through our air", "its own heat", "light of Mars"),
    ),
    "Saros": (
        _asked("How long is a saros?", "18 years and 11 days", "one year", "76 years"),
        _asked("Where does the next one of a series fall?", "a third around the globe", "at the same place"),
    ),
    "Black bodies": (_asked("Which star is hotter?", "a blue one", "a red one", "a yellow one"),),
    "Spectral classes": (_asked("Which class is the Sun?", "G", "M", "A"),),
    "Parallax": (
        _asked("What does a large parallax mean?", "the star is near", "the star is far", "the star is large"),
        _asked("What is the base line?", "the Earth's orbit", "the Earth's diameter", "the Moon's orbit"),
    ),
    "Parallax 2": (
        _asked("A parallax of 0.1 seconds of arc is ...", "10 parsecs", "0.1 parsecs", "1 parsec"),
        _asked("How far is a parsec?", "3.26 light years", "1 light year", "100 light years"),
        _asked("A light year is a measure of ...", "distance", "time", "brightness"),
    ),
    "Standard candles": (
        _asked("Twice as far, a star looks ...", "4 times fainter", "2 times fainter", "8 times fainter"),
        _asked("Which stars tell distance by their period?", "Cepheids", "white dwarfs", "pulsars"),
    ),
}
_BREAD: dict[str, Sequence[Question]] = {
    "Gluten": (
        _asked("What forms gluten?", "two proteins and water", "starch and water", "sugar and salt"),
        _asked("What makes it stronger?", "kneading", "more yeast", "more sugar"),
        _asked("Which flour has the least?", "rye", "durum", "bread flour"),
    ),
    "Whole grain": (_asked("Why does it need more water?", "bran takes it up", "it has less starch"),),
    "A starter from nothing": (
        _asked("Where do its yeasts come from?", "the flour", "the air", "the water"),
        _asked("What makes it sour?", "lactic bacteria", "yeasts", "salt"),
        _asked("How long does it take?", "about a week", "one night", "a month"),
    ),
    "A starter from nothing 2": (
        _asked("What does it need daily?", "flour and water", "sugar", "yeast"),
        _asked("What is thrown away?", "the discard", "the crust", "nothing"),
        _asked("When is it ready?", "it doubles in hours", "it smells of nothing", "it is liquid"),
    ),
    "Feeding": (_asked("Which ratio feeds longest?", "1 : 5 : 5", "1 : 1 : 1", "2 : 1 : 1"),),
    "Steam": (_asked("What does steam do at first?", "keeps the crust soft", "browns the crust", "dries it"),),
    "Crust and crumb": (
        _asked("What browns the crust?", "the Maillard reaction", "burnt flour", "steam"),
        _asked("When is the crumb done?", "at about 96 °C", "at about 60 °C", "at 150 °C"),
        _asked("Large holes come from ...", "wet dough", "dry dough", "more salt"),
    ),
    "Staling": (_asked("What happens to starch?", "it crystallizes", "it dries out", "it dissolves"),),
    "Staling 2": (
        _asked("Where does bread stale fastest?", "in the fridge", "in the freezer", "in a bag"),
        _asked("What makes it soft again?", "heat", "cold water", "salt"),
        _asked("Which bread stays fresh longest?", "sourdough", "baguette", "white toast"),
    ),
    "Freezing": (_asked("When do you freeze bread?", "once it is cool", "once it is stale", "while it is hot"),),
}
#: {name of a problem, without what all of them begin with: its questions}
QUESTIONS: Mapping[str, Sequence[Question]] = {**_SKY, **_BREAD}

#: The course team's threads, which learners read.
THREADS = (
    "Introduce yourself",
    "Questions about the first section",
    "Good places to practise",
    "Which equipment do you use?",
    "Errors in the videos",
    "Questions about the grade",
)
