"""Money: ISO 4217 codes, their exponents, and amounts in words.

Amounts are integers in minor units. The exponent says how many decimal digits the minor unit has (ISO 4217, list one).
Providers disagree with ISO on some currencies (IDR, KWD); each adapter declares its own scale and converts.
"""

from functools import lru_cache

EXPONENT_DEFAULT = 2

_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK
NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), EXPONENT_DEFAULT),
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "IDR": "Rp"}


def known(currency: str) -> bool:
    """Whether this is an active ISO 4217 currency code."""
    return currency in _EXPONENTS


@lru_cache(maxsize=256)
def minor_per_major(currency: str) -> int:
    """Return how many minor units make one major unit: 100 for INR, 1 for JPY, 1000 for KWD."""
    return int(10 ** _EXPONENTS[currency])


def show(amount: int, currency: str) -> str:
    """Return an amount as a person reads it: `₹1,234.50`, `¥1,200`, `KWD 0.250`."""
    scale = minor_per_major(currency)
    whole, minor = divmod(abs(amount), scale)
    digits = f"{whole:,}" if scale == 1 else f"{whole:,}.{minor:0{_EXPONENTS[currency]}d}"
    symbol = _SYMBOLS.get(currency)
    return f"{'-' if amount < 0 else ''}{symbol or currency + ' '}{digits}"
