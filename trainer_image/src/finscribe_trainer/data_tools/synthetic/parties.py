"""Generates companies and people of a country: names, addresses, telephone and tax numbers, banks.

Names of people come from Faker; the rest is composed from `words/parties.yaml`. Email and web addresses use
the reserved domain `.example`.
"""

import random
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from faker.config import AVAILABLE_LOCALES
from faker.factory import Factory

from finscribe_trainer.data_tools.synthetic.locales import Locale, read_words, words
from finscribe_trainer.documents.schema import Address, Contact, Party

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_SIGNS = {"#": "0123456789", "%": "123456789", "@": _LETTERS}


@dataclass(frozen=True)
class Place:
    """A town with its state and postal code."""

    city: str
    state: str
    zip: str
    sales_tax: Decimal
    """Sales tax in percent; 0 where taxes do not depend on the place."""


def fill(pattern: str, rng: random.Random) -> str:
    """Fill a pattern with random characters: # is a digit, % a digit from 1 to 9, @ a letter."""
    return re.sub(r"[#%@]", lambda sign: rng.choice(_SIGNS[sign[0]]), pattern)


def make_place(locale: Locale, rng: random.Random) -> Place:
    """A random town of the country."""
    city, state, pattern, *rate = rng.choice(_country(locale)["places"])
    return Place(city, state, fill(pattern, rng), Decimal(rate[0]) if rate else Decimal(0))


def person(locale: Locale, rng: random.Random) -> tuple[str, str]:
    """A random first and last name."""
    faker = _faker(locale.code, rng)
    if rng.random() < 0.5:
        return faker.first_name_male(), _last_name(faker, "male")
    return faker.first_name_female(), _last_name(faker, "female")


def _last_name(faker: Any, sex: str) -> str:
    return str(getattr(faker, f"last_name_{sex}", faker.last_name)())


def company(locale: Locale, branch: str, city: str, rng: random.Random) -> str:
    """A random company name for an industry."""
    country, faker = _country(locale), _faker(locale.code, rng)
    return str(rng.choice(country["companies"])).format(
        last=faker.last_name(),
        last2=faker.last_name(),
        branch=rng.choice(words(locale)["catalogue"][branch]["names"]),
        legal=rng.choice(country["legal"]),
        city=city,
    )


def make_party(name: str, place: Place, locale: Locale, rng: random.Random, *, full: bool) -> Party:
    """Generate a party; a `full` one, as in a letterhead, mostly has contact details and a tax number."""
    country, faker = _country(locale), _faker(locale.code, rng)
    street = rng.choice(country["streets"]).format(last=faker.last_name())
    address = Address(
        street=locale.street_line.format(street=street, number=fill(rng.choice(country["numbers"]), rng)),
        city=place.city,
        state=place.state or None,
        zip=place.zip,
        country=locale.country if rng.random() < 0.2 else None,
    )
    site = f"{_slug(name)}.example"
    contact = Contact(
        phone=fill(rng.choice(country["phone"]), rng) if rng.random() < 0.9 else None,
        email=f"{rng.choice(['info', 'office', 'mail', 'contact'])}@{site}" if rng.random() < 0.7 else None,
        website=f"www.{site}" if rng.random() < 0.5 else None,
    )
    reachable = contact.model_fields_set and rng.random() < (0.9 if full else 0.1)
    return Party(
        name=name,
        address=address,
        contact=contact if reachable and contact.model_dump(exclude_none=True) else None,
        tax_id=fill(country["tax_id"], rng) if rng.random() < (0.8 if full else 0.2) else None,
    )


def address_lines(party: Party, locale: Locale) -> tuple[str, ...]:
    """Name, street and town, one line each."""
    address = party.address
    assert address
    town = locale.city_line.format(zip=address.zip, city=address.city, state=address.state or "")
    return (party.name, address.street or "", town.strip(" ,"))


def make_bank(locale: Locale, rng: random.Random) -> tuple[tuple[str, str], ...]:
    """Generate labels and values of a bank account."""
    bank = _country(locale)["bank"]
    account = {
        label: _spaced(_faker(locale.code, rng).iban()) if pattern == "iban" else fill(pattern, rng)
        for label, pattern in bank["fields"].items()
    }
    return ((rng.choice(bank["names"]), ""), *account.items())


def make_footer(party: Party, locale: Locale, rng: random.Random) -> tuple[str, ...]:
    """Generate up to two footer lines about a company: register, directors, conditions."""
    lines = _country(locale)["footer"]
    phone = (party.contact and party.contact.phone) or fill(rng.choice(_country(locale)["phone"]), rng)
    return tuple(
        fill(line, rng).format(
            name=party.name,
            city=(party.address and party.address.city) or "",
            address=", ".join(address_lines(party, locale)[1:]),
            person=" ".join(person(locale, rng)),
            phone=phone,
        )
        for line in rng.sample(lines, rng.randint(0, min(2, len(lines))))
    )


def _spaced(iban: str) -> str:
    return " ".join(re.findall(".{1,4}", iban))


def _slug(name: str) -> str:
    """Convert a name to a host name: "Müller & Söhne GmbH" to "mueller-soehne"."""
    spelt = re.sub("[äöüÄÖÜß]", lambda m: {"ß": "ss"}.get(m[0], m[0].lower() + "e"), name).replace("ł", "l")
    plain = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]{3,}", plain)[:2]) or "office"


def _country(locale: Locale) -> dict[str, Any]:
    found: dict[str, Any] = read_words("parties")[locale.code]
    return found


def _faker(code: str, rng: random.Random) -> Any:
    faker = _make_faker(code if code in AVAILABLE_LOCALES else code[:2])
    faker.random = rng
    return faker


@cache
def _make_faker(code: str) -> Any:
    """Cached, because creating a Faker takes much longer than using it."""
    return Factory.create(code, providers=["faker.providers.person", "faker.providers.bank"])
