"""The categories of the product: slug, parent, names, icon. Data; the meaning of each is in docs/domain.md.

A slug is what travels (wire, events, budgets) and is never renamed; a parent never changes, since what parents have
counted rests on it. Groups (the rows that others name as parent) hold what belongs together: a budget on one counts
each of its children once. `online_ml` predicts the leaves, never a group.
"""

from typing import NamedTuple

LOCALES = ("en", "hi", "id")


class Category(NamedTuple):
    """A category of the product; `names` by locale, in the order of `LOCALES`."""

    slug: str
    parent: str | None
    icon: str
    names: tuple[str, str, str]


_TABLE = """
food_and_drink |                | 🍽 | Food and drink    | खाना-पीना            | Makanan dan minuman
getting_around |                | 🚌 | Getting around    | आना-जाना             | Bepergian sehari-hari
household      |                | 🏠 | Household         | घर-गृहस्थी             | Rumah tangga
leisure        |                | 🎉 | Leisure           | मनोरंजन और सैर          | Hiburan dan liburan
wellbeing      |                | 🧘 | Wellbeing         | सेहत और देखभाल          | Kesehatan dan perawatan
family         |                | 👪 | Family            | परिवार               | Keluarga
obligations    |                | 📑 | Obligations       | देनदारियाँ             | Kewajiban
food           | food_and_drink | 🍜 | Eating out        | बाहर खाना             | Makan di luar
groceries      | food_and_drink | 🛒 | Groceries         | किराना               | Belanja dapur
transport      | getting_around | 🚕 | Transport         | यातायात              | Transportasi
fuel           | getting_around | ⛽ | Fuel              | ईंधन                 | Bahan bakar
vehicle        | getting_around | 🚗 | Vehicle           | वाहन                 | Kendaraan
rent           | household      | 🔑 | Rent              | किराया               | Sewa
bills          | household      | 💡 | Bills             | बिल                  | Tagihan
home           | household      | 🔧 | Home              | घर                   | Rumah
entertainment  | leisure        | 🎬 | Entertainment     | मनोरंजन              | Hiburan
travel         | leisure        | ✈ | Travel            | यात्रा                | Perjalanan
health         | wellbeing      | 💊 | Health            | स्वास्थ्य               | Kesehatan
personal_care  | wellbeing      | 💇 | Personal care     | निजी देखभाल            | Perawatan diri
education      | family         | 🎓 | Education         | पढ़ाई                 | Pendidikan
pets           | family         | 🐾 | Pets              | पालतू जानवर            | Hewan peliharaan
insurance      | obligations    | ☂ | Insurance         | बीमा                 | Asuransi
government     | obligations    | 🏛 | Government        | सरकारी शुल्क            | Pajak dan retribusi
fees           | obligations    | 🧾 | Fees              | शुल्क                 | Biaya
loans          | obligations    | 🏦 | Loans             | ऋण                   | Pinjaman
shopping       |                | 🛍 | Shopping          | खरीदारी              | Belanja
services       |                | 🧰 | Services          | सेवाएँ                | Jasa
donations      |                | 🎁 | Donations         | दान                  | Donasi
cash           |                | 💵 | Cash              | नकद                  | Tunai
transfer       |                | 🔁 | Transfer          | अंतरण                | Transfer
investment     |                | 📈 | Investment        | निवेश                | Investasi
income         |                | 💰 | Income            | आय                   | Pendapatan
uncategorised  |                | ❔ | Uncategorised     | अवर्गीकृत               | Tanpa kategori
"""


def _row(line: str) -> Category:
    slug, parent, icon, english, hindi, indonesian = (cell.strip() for cell in line.split("|"))
    return Category(slug, parent or None, icon, (english, hindi, indonesian))


CATEGORIES: dict[str, Category] = {row.slug: row for row in map(_row, _TABLE.strip().splitlines())}
LINEAGE: dict[str, tuple[str, ...]] = {
    one.slug: (one.slug, one.parent) if one.parent else (one.slug,) for one in CATEGORIES.values()
}
"""Each category with its parent: the names of the budgets in which a spend of it counts."""
MEMBERS: dict[str, frozenset[str]] = {
    slug: frozenset(child for child, line in LINEAGE.items() if slug in line) for slug in CATEGORIES
}
"""Each category with its children: the categories that a budget on it counts."""
