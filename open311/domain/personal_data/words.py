"""Words before a number that say whether it is a phone number or the id of something, in five languages."""

from __future__ import annotations

import re

_PHONES = """
    tel tél telf tlf tlm telemóvel phone phones cel cell cellphone mobile móvil movil celular natel gsm portable
    text sms whatsapp whats ring contato fax ruf rufen joindre joignable ligar ligue
"""
_PHONE_STEMS = (
    *("telefon", "telephon", "teléfon", "téléphon", "handy", "mobil", "call", "reach", "contact", "llám", "llam"),
    *("marcar", "anruf", "rückruf", "rueckruf", "erreich", "appel", "rejoign"),
)
_OWNERS = "my his her their our meine seine ihre unsere mi su nuestro mon son notre meu seu"
_NUMBERS = "number no nummer nr número numero numéro"
_IDS = """
    account acct asset badge bill booking cabinet case cases citation claim code confirmation customer docket
    fine hydrant id ids incident insurance invoice label licence license lot member meter node order parcel
    permit pin pole policy receipt ref refs reference references report reports request requests sensor serial
    sr sticker summons tag tax ticket tickets token tracking transaction transformer valve vehicle vin violation
    voucher apn imei activo armario aviso boletín caso catastral cliente código contador contrato cuenta
    denuncia dni expediente factura folio incidencia incidencias licencia luminaria multa nie nif operación
    parcela pasaporte poste póliza queja recibo reclamación referencia registro reserva seguro serie siniestro
    socio solicitud transacción válvula chamado contribuinte cpf fatura ocorrência pedido processo protocolo
    referência az blatt flurstück grundbuch gz kassenzeichen ticketnummer abonné amende assurance avis
    candélabre client colis compte compteur contrat demande dossier enregistrement équipement facture matricule
    parcelle permis plainte poteau quittance réclamation référence réf requête réservation reçu série
    signalement sinistre siren siret vanne #
"""
_ID_STEMS = (
    *("akten", "anlage", "antrag", "anzeige", "auftrag", "beleg", "bescheid", "beschwerde", "buchung", "eingang"),
    *("fahrzeug", "genehmigung", "gerät", "inventar", "konto", "kunden", "lizenz", "mast", "meld", "mitglied"),
    *("rechnung", "schacht", "schaden", "sendung", "serien", "steuer", "transaktion", "versicherung", "vertrag"),
    *("vorgang", "zähler"),
)
_PHONE_WORDS, _ID_WORDS = frozenset(_PHONES.split()), frozenset(_IDS.split())
_OWN_NUMBERS = frozenset(f"{owner} {number}" for owner in _OWNERS.split() for number in _NUMBERS.split())
_WORD = re.compile(r"\w+|#")
_BROKEN = re.compile(r"[\d|]")
_SENTENCE_END = re.compile(
    r"(?<!\bno)(?<!\bnr)(?<!\bn)(?<!\bnum)(?<!\bnúm)(?<!\bref)(?<!\bréf)"
    r"(?<!\baz)(?<!\bacct)[.!?]\s|\n",
    re.IGNORECASE,
)
"""The end of a sentence, but not the full stop of a short word."""


def meaning_before(text: str) -> str:
    """What the text before a number says about the number: `phone`, `id`, or "" if it says nothing.

    The last word that says anything decides. Words before an earlier number do not count, and words for ids do not
    count beyond the end of their sentence.
    """
    near = _BROKEN.split(text)[-1]
    last = ""
    for found in reversed(list(_WORD.finditer(near))):
        word = found.group().lower()
        if word in _PHONE_WORDS or word.startswith(_PHONE_STEMS) or f"{word} {last}" in _OWN_NUMBERS:
            return "phone"
        if word in _ID_WORDS or word.startswith(_ID_STEMS):
            return "" if _SENTENCE_END.search(near, found.end()) else "id"
        last = word
    return ""
