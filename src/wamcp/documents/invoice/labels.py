"""The words that stand beside the values of an invoice, folded, in the languages of the people who send them."""

import re


def _words(*alternatives: str) -> re.Pattern[str]:
    """A pattern that finds any of the words as whole words; a blank stands for blanks, a dot, a hyphen or nothing."""
    joined = "|".join(alternative.replace(" ", r"[ ._-]{0,3}") for alternative in alternatives)
    return re.compile(rf"(?<![^\W\d_])(?:{joined})(?![^\W\d_])")


_NOUN = (
    r"invoice|inv|facture|\w{0,16}rechnungs?|re(?=[-.]nr)|factuur|factura|fatura|fattura|faktura|faktury|"
    r"nota fiscal|nfs?-?e|"
    r"danfe|credit (?:note|memo)|gutschrifts?|avoir|credit ?nota|nota de credito|nota credito|rechnungskorrektur|"
    r"stornorechnung|kredit ?nota|boleta|comprobante|فاتورة|الفاتورة"
)
_SLIP = (
    r"receipt|rcpt|bill|cash bill|slip|document|doc|belegs?|bons?|ticket|recibo|recu|ricevuta|scontrino|cupom|"
    r"quittungs?|"
    r"kassenbons?|documento|kvitto|kvittering|bonnetje|resit|invois|check|chk|folio|booking"
)
_NUMBER = r"number|numero|nummer|numer|num|nro|nr|no|n°|n|#|id|nrs?\.|رقم"

NUMBER_STRONG = re.compile(
    rf"(?<![^\W\d_])(?:(?:{_NOUN})s?[ ._/-]{{0,3}}(?:{_NUMBER})(?![^\W\d_])|"
    rf"(?:number|numero|nummer|num|n°|nr|no|رقم)\.? (?:of |de la |de |da |del |della |do |d'|"
    rf"der )?(?:the )?(?:{_NOUN})(?![^\W\d_]))"
)
NUMBER_SLIP = re.compile(
    rf"(?<![^\W\d_])(?:(?:{_SLIP})[ ._/-]{{0,3}}(?:{_NUMBER})(?![^\W\d_])|"
    rf"(?:number|numero|nummer|num|n°|nr|no)\.? (?:de |da |del |do |du )?(?:{_SLIP})(?![^\W\d_]))"
)
NUMBER_NOUN = re.compile(rf"(?<![^\W\d_])(?:{_NOUN})(?![^\W\d_])")
NUMBER_APART = re.compile(
    rf"(?<![^\W\d_])(?:{_NOUN})s?(?: [^\W\d_]{{2,20}}){{1,3}}[ .]{{1,2}}(?:nr|no|n°|number|nummer|numero)(?![^\W\d_])"
)
NUMBER_BARE = re.compile(r"^\s*(?:number|numero|nummer|no|nr|n°|#)(?![^\W\d_])")
NUMBER_OTHER = _words(
    r"ori?g(?:inal)?\w*",
    r"ref(?:erence)?",
    r"bezug\w*",
    r"zu(?:r)?",
    r"related",
    r"correct(?:s|ed|ing)",
    r"preceding",
    r"previous",
    r"vorherige",
    r"rectifi\w*",
    r"korrigierte?n?",
    r"against",
    r"your",
    r"customer",
    r"order",
    r"purchase",
    r"weitere",
    r"annule",
    r"modificad\w+",
)

INVOICE_WORD = _words(
    r"(?:tax |sales |commercial |proforma )?invoice",
    r"\w{0,16}rechnung",
    r"w a r e n r e c h n u n g|k o s t e n r e c h n u n g|r e c h n u n g",
    r"facture|factuur|creditfactuur|factura|fatura|fattura|faktura|danfe|nota fiscal|credit note|credit memo|"
    r"gutschrift|avoir",
    r"rechnungskorrektur|nota de credito|nota di credito|creditnota|kreditnota|kreditfaktura",
    r"[il1]nvo[il1]ce|(?:payment |sales |cash |official )?rece[i1l][pf]t|cash b[i1l]{2,3}|"
    r"cash sales?|bill|quittung|kassenbon|kassenzettel|"
    r"recibo|recu",
    r"ticket de caisse|ricevuta|scontrino|cupom fiscal|boleta|kvitto|kvittering|resit|invois|فاتورة|ضريبية|lasku",
)
CREDIT_WORD = _words(
    r"credit (?:note|memo|invoice)|gutschrift|rechnungskorrektur|stornorechnung|avoir|facture d'avoir|creditnota",
    r"creditfactuur|nota de credito|nota di credito|nota credito|factura rectificativa|kreditnota|kreditfaktura",
    r"faktura korygujaca|iade faturasi|اشعار دائن",
)
OTHER_PAPER = _words(
    r"quot(?:e|ation)|estimate|angebot|kostenvoranschlag|offerte?|devis|presupuesto|cotizacion|orcamento|preventivo",
    r"purchase order|bestellung|bestelling|order confirmation|auftragsbestatigung|delivery note|packing (?:list|slip)",
    r"lieferschein|bon de livraison|pakbon|albaran|statement of account|kontoauszug|bank statement|extracto|"
    r"releve de compte",
    r"extrato|pay ?slip|lohnabrechnung|fiche de paie|nomina|price ?list|preisliste|prijslijst|tarifs?|lista de precios",
    r"lista de precos|listino prezzi|menu|speisekarte|carta|cardapio|mahnung|zahlungserinnerung|reminder|"
    r"contract|vertrag",
    r"pedido de compra|bon de commande|curriculum vitae|agenda|minutes|teklif|zamowienie|oferta",
)

DATE_STRONG = _words(
    rf"(?:{_NOUN})s? ?(?:date|datum|dato|dt)",
    r"(?:date|fecha|data|datum|dato) (?:of |de la |de |da |della |di |d'|der |van |du |do )?(?:the )?"
    r"(?:invoice|issue|facture|facturation|emission|emision|emissao|emissione|factura|fatura|fattura|rechnung|"
    r"factuur|bill)",
    r"issue date|issued(?: on)?|date issued|data emissao|fecha emision|data emissione|data wystawienia|belegs? ?datum",
    r"ausstellungs ?datum|bill date|billing date|receipt date|biz ?date|fakturerings ?dato|fatura tarihi|"
    r"duzenleme tarihi",
    r"erstellt am|تاريخ الفاتورة|تاريخ الاصدار|document date|doc date|tax point|transaction date",
)
DATE_WEAK = _words(
    r"date|datum|fecha|data|dato|dated|dt|tarih|tarihi|tanggal|tarikh|تاريخ|التاريخ|le|vom|den|dne|dia|reg",
)
DATE_JOINED = re.compile(
    r"(?<![^\W\d_])(?:vom|du|van|del|of|dated|dtd|de|dd|den|di|z dnia|med dato|on|from)[ .:]{0,3}$"
)
DATE_OTHER = _words(
    r"due|due ?date|\w*fallig\w*|echeance|verval\w*|venc\w*|scadenza|forfald\w*|forfall\w*|termin\w*|vade\w*|odeme\w*",
    r"deliver\w*|\w*liefer\w*|\w*leistung\w*|livraison|\w*lever\w*|entrega|consegna|delivery ?date|ship\w*|"
    r"versand\w*|teslim\w*",
    r"order\w*|\w*bestell?\w*|\w*auftrag\w*|commande|pedido|ordine|po|siparis\w*|period\w*|periode|\w*zeitraum|"
    r"periodo|competencia",
    r"until|bis|valid\w*|expir\w*|gueltig\w*|gultig\w*|version|rev|payable|pay ?by|exp|birth|born|geburt\w*|geb|"
    r"skonto|next",
    r"zahl\w*|betaal\w*|paiement|prelevement|limite|check ?in|check ?out|arrival|departure|anreise|abreise|since|stand",
    r"contract|vertrag\w*|contrat|contrato|\w*kunden\w*|zur|rapport\w*|mandat\w*|autoriza\w*|protocolo|استحقاق|"
    r"الاستحقاق|تسليم",
)
DATE_BESIDE = _words(
    r"print\w*|gedruckt|statement|payment|paid|pay|pago|pagamento|pagar|saldo|entry|saida|reference|bezahl\w*|"
    r"created|closed",
    r"start\w*|end\w*|in|out|served|open\w*",
)
"""Words for other dates on the same day as the invoice, as a rule; taken where there is no better one."""

TOTAL_STRONG = _words(
    r"grand total|(?:total )?(?:amount|amt) (?:due|payable|to pay)|total due|balance due|total payable|net payable",
    r"total (?:amount|amt)|invoice (?:total|amount)|total (?:for )?(?:this )?invoice|total to pay|bill total|"
    r"order total|sum total",
    r"total (?:rounded|sales|charge)|(?:total|amount|amt)[^0-9]{0,20}in[cdo]l\w*[^0-9]{0,25}|"
    r"(?:eat|take).\w{2,4} total",
    r"net total|total net payable|nett total|total bill|total paid",
    r"net a payer|(?:total|montant|somme|prix)[^0-9]{0,14}t\.?t\.?c\.?|t\.?t\.?c|total a payer|somme a payer|"
    r"montant (?:total|du)",
    r"zahlbetrag|gesamtbetrag|gesamt(?:summe|preis|total)|endbetrag|endsumme|rechnungs(?:betrag|summe|total)|"
    r"brutto(?!preis|gewicht|menge)\w*",
    r"zu zahlen\w*|zahlender betrag|summe brutto|fallig(?:er)? betrag|gutschriftsbetrag|(?:summe|gesamt|"
    r"betrag)[^0-9]{0,12}inkl[^0-9]{0,20}",
    r"totaal te (?:betalen|voldoen)|te (?:betalen|voldoen)|totaalbedrag|(?:totaal|"
    r"bedrag)[^0-9]{0,10}incl[^0-9]{0,15}|factuur ?(?:totaal|bedrag)|eindtotaal",
    r"totale (?:fattura|da pagare|documento|dovuto|complessivo|ivato|generale)|netto a pagare|importo (?:totale|"
    r"da pagare)",
    r"importe total|total (?:factura|a pagar|general|a abonar)|total iva incl\w*|total con iva|importe a pagar|"
    r"liquido a pagar",
    r"valor total(?: da (?:nota|fatura))?|valor a pagar|total da (?:nota|fatura|compra)|total geral|"
    r"total a liquidar|valor pago",
    r"att betala|summa att betala|i alt|til betaling|at betale|totalbelop|a betale|do zaplaty|razem brutto|"
    r"kwota brutto|wartosc brutto",
    r"genel toplam|odenecek tutar|jumlah (?:besar|perlu dibayar|keseluruhan)|total bayar|yhteensa|maksettava",
    r"الاجمالي(?: المستحق)?|الإجمالي|المبلغ المستحق|المبلغ الاجمالي|صافي المبلغ",
)
TOTAL_WEAK = _words(
    r"total|t[o0]?t[ae] ?[l1i]|otal|totaal|totale|summe|gesamt|suma|summa|toplam|importe|jumlah|betrag|"
    r"bedrag|amount|sum|razem|totalt|"
    r"tot|المجموع|مجموع|total amt"
)
NET_TOTAL = _words(r"nett? total")
"""Before tax in an invoice, after rounding in a receipt."""
NET_WORD = _words(
    r"sub ?tota+l\w*|sub ttl|zwischensumme|sous total|soma|net(?:to)?(?: ?(?:amount|total|betrag|summe|bedrag|"
    r"preis))?|nett|netto\w*",
    r"(?:total|montant|prix)?[^0-9]{0,6}\bh\.?t\.?|hors taxes?|excl\w*|exkl\w*|before (?:tax|vat|gst)|"
    r"ohne (?:ust|mwst|umsatzsteuer)\w*|taxable\w*",
    r"base(?: imponible)?|base imponivel|imponibile|totale imponibile|summe netto|positionssumme|warenwert|"
    r"total sin iva|neto",
    r"valor (?:dos produtos|dos servicos|liquido)|grundlag\w*|grondslag|wartosc netto|ara toplam|goods total|"
    r"المجموع الفرعي|without tax",
)
TAX_WORD = _words(
    r"(?:sales )?tax(?:es)?(?: amount)?|v\.?a\.?t\.?|gst|hst|pst|qst|sst|igst|cgst|sgst|mwst|m\.w\.st|"
    r"\w*umsatzsteuer|ust|steuer\w*|mehrwertsteuer",
    r"tva|t\.v\.a|btw(?: bedrag)?|iva|i\.v\.a|igv|icms|iss|ipi|moms|mva|kdv|podatek|dph|pdv|afa|imposta|impuesto|"
    r"imposto|alv|ضريبة|الضريبة|ppn",
)
AMOUNT_OTHER = _words(
    r"discount\w*|disc|rabatt\w*|remise|korting|descuento|desconto|sconto|rebate|savings?|saved|you save|"
    r"abschlag|abschlage|zuschlag|zuschlage",
    r"change(?: due)?|wechselgeld|ruckgeld|zuruck|rendu|troco|cambio|vuelto|resto|wisselgeld|baki|"
    r"cash(?! (?:bill|sales?))|bar|gegeben|especes|contant|efectivo|dinheiro|contanti",
    r"visa|mastercard|card|karte|debit|credit|credits|tender\w*|received|paid|payment|pembayaran|anzahlung\w*|"
    r"prepaid|deposit|acompte|anticipo|aanbetaling",
    r"tips?|service charge|serv chg|rounding\w*|round(?: |ing )?adj\w*|rundung|arrondi|afronding|redondeo|"
    r"adj(?:ustment)?|shipping|freight|versand\w*|frais de port|verzend\w*|envio|frete|postage",
    r"qty|quantity|quantite|menge|aantal|cantidad|quantidade|quantita|items?|units?|pcs|points?|punkte|carried|"
    r"ubertrag|report|previous|balance forward|limit|capital|kapital",
    r"price|unit|preis|prijs|prix|precio|preco|prezzo|stuk|weight|page|seite|penalt\w*|indemnite\w*|mahngebuhr|"
    r"fee|saldo anterior|minimum",
)
ROUNDING_WORD = _words(r"rounding\w*|round(?: |ing )?adj\w*|rundung|arrondi|afronding|redondeo")
CASH_WORD = _words(
    r"cash(?! (?:bill|sales?|change))(?: received| tendered| tender| paid)?|received cash|paid(?: amount)?|"
    r"amount paid|bar|gegeben|especes|contant|efectivo|dinheiro|contanti|tendered|received|amount tendered|"
    r"payment|tunai|pago",
)
CHANGE_WORD = _words(
    r"(?:cash )?change(?: due)?|wechselgeld|ruckgeld|zuruck|rendu|monnaie|troco|cambio|vuelto|resto|wisselgeld|baki"
)
EXCLUDING = _words(r"excl\w*|exkl\w*|exc|ohne|hors|sans|before|sin|zonder|esclus\w*|without")
WITH_OR_WITHOUT = _words(r"ttc|incl\w*|inkl\w*|brutto|ht|net|netto|excl\w*")
"""What may stand behind an amount and says whether tax is in it."""
SUMMARY_WORD = _words(
    r"(?:gst|vat|tax|sst|btw|tva|iva) (?:summary|analysis|breakdown|specification)|summary|tax code|"
    r"steueraufschlusselung|ventilation|steuerubersicht|resumen"
)

SELLER_WORD = re.compile(
    r"^\s*(?:seller|supplier|vendor|sold by|issued by|issuer|from|service provider|verkaufer|lieferant|vendeur|"
    r"fournisseur|"
    r"prestataire|emetteur|leverancier|verkoper|vendedor|proveedor|emisor|emitente|prestador(?: de servicos)?|"
    r"fornecedor|"
    r"fornitore|cedente|sprzedawca|satici|saljare|البائع|المورد)\s*:?\s*(?=$|\S)"
)
BUYER_WORD = re.compile(
    r"(?<![^\W\d_])(?:bill(?:ed)? to|sold to|ship(?:ped)? to|deliver to|invoice to|buyer|customer|client|attn|"
    r"attention|guest|"
    r"kaufer|kunde|rechnungsempfanger|warenempfanger|rechnung an|acheteur|facture a|adresse de facturation|klant|koper|"
    r"factuuradres|afleveradres|cliente|comprador|tomador|destinatario|facturar a|cessionario|nabywca|alici|"
    r"kopare|your|ihre?|uw|"
    r"votre|su|العميل|المشتري)(?![^\W\d_])"
)
TAX_ID = re.compile(
    r"(?<![^\W\d_])(?:(?:vat|gst|tax|sst|hst|abn|tin|trn|ein|pst)[ ./-]{0,3}(?:reg(?:istration)?|"
    r"id(?:entification)?|payer)?"
    r"[ ./-]{0,3}(?:number|num|id|no|nr|#)?|gstin(?:/uin)?|ust[ .-]{0,3}id(?:[ .-]{0,3}nr)?|ustid|"
    r"ust[ -]{0,2}id[ -]{0,2}nr|steuer[ -]?(?:nr|nummer)|"
    r"(?:numero|n°|no|num)?\.? ?(?:de )?(?:tva|t\.v\.a)(?: intra\w*)?(?: intra ?communautaire| communautaire)?|"
    r"siret|siren|"
    r"btw(?:[ -]?(?:nummer|nr|id))?|p\.? ?iva|partita iva|c\.?f\.?|codice fiscale|n\.?i\.?f\.?(?:/cif)?|"
    r"c\.?i\.?f\.?|nipc|rfc|r\.u\.c\.?|ruc|cuit|nit|"
    r"cnpj(?:/cpf)?|cpf|nip|vkn|vergi no|mva|cvr(?:[ -]nr)?|moms(?:[ -]?(?:reg)?[ -]?nr)|orgnr|org[ .]{1,2}nr|"
    r"الرقم الضريبي)(?![^\W\d_])"
)
LEGAL_FORM = re.compile(
    r"(?<![^\W_])(?:gmbh(?: & co\.? ?(?:kg|ohg))?|ag|ug|(?<![0-9] )kg|ohg|e\. ?k|"
    r"ltd|limited|llc|llp|inc|corp(?:oration)?|plc|pty|pvt|b\.?v|n\.?v|v\.?o\.?f|sarl|"
    r"s\.a\.r\.l|sas|sasu|eurl|s\.?a|s\.?l|s\.l\.u|s\.r\.l|srl|s\.p\.a|spa|ltda|lda|eireli|me|epp|sdn\.? ?bhd|"
    r"bhd|s/b|sp\. ?z ?o\. ?o|"
    r"ab|a/s|aps|asa|oy|oyj|s\.r\.o|kft|d\.o\.o|a\.s|co|company|enterprise|trading|restaurant|restoran|fze|"
    r"fz-?llc|l\.l\.c|"
    r"pte|pjsc|w\.l\.l)\.?(?![^\W_])"
)
