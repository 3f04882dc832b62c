"""`mailer-standards(7)`: which section of which standard each file keeps to, collected from the source.

Every rule that comes from a standard carries its section where it is written, as ``RFC n §m``. Nothing else
says what the program claims to keep: this page cannot promise what no line of code mentions.
"""

from __future__ import annotations

import re
from pathlib import Path

TITLES = {
    821: "Simple Mail Transfer Protocol (1982)",
    1034: "Domain Names: Concepts and Facilities",
    1035: "Domain Names: Implementation and Specification",
    1122: "Requirements for Internet Hosts: Communication Layers",
    1123: "Requirements for Internet Hosts: Application and Support",
    1428: "Transition of Internet Mail from Just-Send-8 to 8bit-SMTP/MIME",
    1468: "Japanese Character Encoding for Internet Messages",
    1870: "SMTP Service Extension for Message Size Declaration",
    1912: "Common DNS Operational and Configuration Errors",
    1918: "Address Allocation for Private Internets",
    1928: "SOCKS Protocol Version 5",
    1929: "Username/Password Authentication for SOCKS V5",
    1939: "Post Office Protocol - Version 3 (1996)",
    1952: "GZIP file format specification version 4.3",
    2033: "Local Mail Transfer Protocol",
    2034: "SMTP Service Extension for Returning Enhanced Error Codes",
    2045: "MIME Part One: Format of Internet Message Bodies",
    2046: "MIME Part Two: Media Types",
    2047: "MIME Part Three: Message Header Extensions for Non-ASCII Text",
    2104: "HMAC: Keyed-Hashing for Message Authentication (1997)",
    2142: "Mailbox Names for Common Services, Roles and Functions",
    2152: "UTF-7: A Mail-Safe Transformation Format of Unicode",
    2181: "Clarifications to the DNS Specification",
    2183: "Communicating Presentation Information in Internet Messages: The Content-Disposition Header Field (1997)",
    2195: "IMAP/POP AUTHorize Extension for Simple Challenge/Response",
    2231: "MIME Parameter Value and Encoded Word Extensions: Character Sets, Languages, and Continuations",
    2308: "Negative Caching of DNS Queries",
    2369: "The Use of URLs as Meta-Syntax for Core Mail List Commands and Their Transport through Message Header Fields",
    2387: "The MIME Multipart/Related Content-Type",
    2392: "Content-ID and Message-ID Uniform Resource Locators",
    2449: "POP3 Extension Mechanism (1998)",
    2544: "Benchmarking Methodology for Network Interconnect Devices",
    2595: "Using TLS with IMAP, POP3 and ACAP (1999)",
    2765: "Stateless IP/ICMP Translation Algorithm (SIIT)",
    2606: "Reserved Top Level DNS Names",
    2852: "Deliver By SMTP Service Extension",
    2919: "List-Id: A Structured Field and Namespace for the Identification of Mailing Lists",
    2920: "SMTP Service Extension for Command Pipelining",
    3030: "SMTP Service Extensions for Transmission of Large and Binary MIME Messages",
    3056: "Connection of IPv6 Domains via IPv4 Clouds",
    3207: "SMTP Service Extension for Secure SMTP over Transport Layer Security",
    3339: "Date and Time on the Internet: Timestamps",
    3461: "SMTP Service Extension for Delivery Status Notifications",
    3463: "Enhanced Mail System Status Codes",
    3464: "An Extensible Message Format for Delivery Status Notifications",
    3492: "Punycode: A Bootstring Encoding of Unicode for Internationalized Domain Names in Applications",
    3501: "Internet Message Access Protocol - Version 4rev1 (2003)",
    3596: "DNS Extensions to Support IP Version 6",
    3834: "Recommendations for Automatic Responses to Electronic Mail",
    3848: "ESMTP and LMTP Transmission Types Registration",
    3849: "IPv6 Address Prefix Reserved for Documentation",
    3879: "Deprecating Site Local Addresses",
    3927: "Dynamic Configuration of IPv4 Link-Local Addresses",
    3986: "Uniform Resource Identifier (URI): Generic Syntax",
    3987: "Internationalized Resource Identifiers (IRIs)",
    4007: "IPv6 Scoped Address Architecture",
    4013: "SASLprep: Stringprep Profile for User Names and Passwords",
    4021: "Registration of Mail and MIME Header Fields",
    4180: "Common Format and MIME Type for Comma-Separated Values (CSV) Files",
    4193: "Unique Local IPv6 Unicast Addresses",
    4291: "IP Version 6 Addressing Architecture",
    4315: "Internet Message Access Protocol (IMAP) - UIDPLUS extension (2005)",
    4330: "Simple Network Time Protocol (SNTP) Version 4",
    4422: "Simple Authentication and Security Layer (SASL)",
    4468: "Message Submission BURL Extension",
    4514: "LDAP: String Representation of Distinguished Names",
    4616: "The PLAIN SASL Mechanism",
    4865: "SMTP Submission Service Extension for Future Message Release",
    4954: "SMTP Service Extension for Authentication",
    5034: "The Post Office Protocol (POP3) Simple Authentication and Security Layer (SASL) Authentication Mechanism (2007)",
    5233: "Sieve Email Filtering: Subaddress Extension",
    5248: "A Registry for SMTP Enhanced Mail System Status Codes",
    5297: "Synthetic Initialization Vector (SIV) Authenticated Encryption Using the Advanced Encryption Standard (AES) (2008)",
    5321: "Simple Mail Transfer Protocol",
    5322: "Internet Message Format",
    5429: "Sieve Email Filtering: Reject and Extended Reject Extensions (2009)",
    5737: "IPv4 Address Blocks Reserved for Documentation",
    5782: "DNS Blacklists and Whitelists",
    5802: "Salted Challenge Response Authentication Mechanism (SCRAM)",
    5890: "Internationalized Domain Names for Applications (IDNA): Definitions and Document Framework",
    5891: "Internationalized Domain Names in Applications: Protocol",
    5895: "Mapping Characters for Internationalized Domain Names in Applications 2008",
    5929: "Channel Bindings for TLS",
    5965: "An Extensible Format for Email Feedback Reports (2010)",
    6008: "Authentication-Results Registration for Differentiating among Cryptographic Results",
    6052: "IPv6 Addressing of IPv4/IPv6 Translators",
    6152: "SMTP Service Extension for 8-bit MIME Transport",
    6177: "IPv6 Address Assignment to End Sites",
    6186: "Use of SRV Records for Locating Email Submission/Access Services",
    6266: "Use of the Content-Disposition Header Field in the Hypertext Transfer Protocol (HTTP)",
    6376: "DomainKeys Identified Mail (DKIM) Signatures",
    6409: "Message Submission for Mail",
    6454: "The Web Origin Concept",
    6522: "The Multipart/Report Media Type",
    6531: "SMTP Extension for Internationalized Email",
    6532: "Internationalized Email Headers",
    6533: "Internationalized Delivery Status and Disposition Notifications",
    6585: "Additional HTTP Status Codes",
    6591: "Authentication Failure Reporting Using the Abuse Reporting Format (2012)",
    6598: "IANA-Reserved IPv4 Prefix for Shared Address Space",
    6647: "Email Greylisting: An Applicability Statement for SMTP",
    6666: "A Discard Prefix for IPv6",
    6710: "SMTP Extension for Message Transfer Priorities",
    6724: "Default Address Selection for Internet Protocol Version 6 (IPv6)",
    6749: "The OAuth 2.0 Authorization Framework",
    6750: "The OAuth 2.0 Authorization Framework: Bearer Token Usage",
    6761: "Special-Use Domain Names",
    6762: "Multicast DNS",
    6838: "Media Type Specifications and Registration Procedures",
    6840: "Clarifications and Implementation Notes for DNS Security (DNSSEC)",
    6851: "Internet Message Access Protocol (IMAP) - MOVE Extension (2013)",
    6874: "Representing IPv6 Zone Identifiers in Address Literals and Uniform Resource Identifiers",
    6854: "Update to Internet Message Format to Allow Group Syntax in the From and Sender Fields",
    6890: "Special-Purpose IP Address Registries",
    7208: "Sender Policy Framework (SPF) for Authorizing Use of Domains in Email",
    7293: "The Require-Recipient-Valid-Since Header Field and SMTP Service Extension",
    7372: "Email Authentication Status Codes",
    7435: "Opportunistic Security: Some Protection Most of the Time",
    7489: "Domain-based Message Authentication, Reporting, and Conformance (DMARC)",
    7504: "SMTP 521 and 556 Reply Codes",
    7505: "A Null MX No Service Resource Record for Domains That Accept No Mail",
    7617: "The 'Basic' HTTP Authentication Scheme",
    7628: "A Set of SASL Mechanisms for OAuth",
    7636: "Proof Key for Code Exchange by OAuth Public Clients",
    7677: "SCRAM-SHA-256 and SCRAM-SHA-256-PLUS SASL Mechanisms",
    7914: "The scrypt Password-Based Key Derivation Function",
    8058: "Signaling One-Click Functionality for List Email Headers",
    8098: "Message Disposition Notification (2017)",
    8215: "Local-Use IPv4/IPv6 Translation Prefix",
    8252: "OAuth 2.0 for Native Apps",
    8259: "The JavaScript Object Notation (JSON) Data Interchange Format",
    8288: "Web Linking",
    8301: "Cryptographic Algorithm and Key Usage Update to DomainKeys Identified Mail (DKIM)",
    8305: "Happy Eyeballs Version 2: Better Connectivity Using Concurrency",
    8314: "Cleartext Considered Obsolete: Use of TLS for Email Submission and Access",
    8375: "Special-Use Domain 'home.arpa.'",
    8446: "The Transport Layer Security (TLS) Protocol Version 1.3",
    8460: "SMTP TLS Reporting",
    8461: "SMTP MTA Strict Transport Security (MTA-STS)",
    8463: "A New Cryptographic Signature Method for DomainKeys Identified Mail (DKIM)",
    8470: "Using Early Data in HTTP",
    8601: "Message Header Field for Indicating Message Authentication Status",
    8617: "The Authenticated Received Chain Protocol",
    8628: "OAuth 2.0 Device Authorization Grant",
    8689: "SMTP Require TLS Option",
    8996: "Deprecating TLS 1.0 and TLS 1.1",
    9106: "Argon2 Memory-Hard Function for Password Hashing and Proof-of-Work Applications",
    9110: "HTTP Semantics",
    9112: "HTTP/1.1",
    9228: "Delivered-To Email Header Field",
    9422: "The LIMITS SMTP Service Extension",
    9520: "Negative Caching of DNS Resolution Failures",
    9651: "Structured Field Values for HTTP",
    9989: "Domain-Based Message Authentication, Reporting, and Conformance (DMARC)",
    9990: "Domain-Based Message Authentication, Reporting, and Conformance (DMARC) Aggregate Reporting",
}

_CITED = re.compile(r"RFC (\d+)((?:(?:,| and)? (?:§\d[\d.]*\d|§\d|Appendix [A-Z]))*)")
_SECTION = re.compile(r"§[\d.]*\d|Appendix [A-Z]")


def cited(package: Path) -> dict[int, dict[str, set[str]]]:
    """For each RFC that the source under `package` names: its sections (``""`` for the whole) and the files that name them."""
    found: dict[int, dict[str, set[str]]] = {}
    for path in sorted(package.rglob("*.py")):
        if path == Path(__file__):
            continue
        text = re.sub(r"\s+(# )?", " ", path.read_text(encoding="utf-8"))  # a citation may be broken over lines
        for number, sections in _CITED.findall(text):
            for section in _SECTION.findall(sections) or [""]:
                found.setdefault(int(number), {}).setdefault(section, set()).add(str(path.relative_to(package)))
    return found


def in_order(sections: dict[str, set[str]]) -> list[tuple[str, list[str]]]:
    """(section, its files) as the standard counts, what names no section first."""
    return [(section, sorted(sections[section])) for section in sorted(sections, key=_place)]


def _place(section: str) -> tuple[bool, list[int], str]:
    return section.startswith("A"), [int(part) for part in section.strip("§").split(".") if part.isdigit()], section
