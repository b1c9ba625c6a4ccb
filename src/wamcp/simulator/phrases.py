"""What the invented customers of the load generator say, in the languages that search has to bear."""

import random

NAMES = (
    "Ana Martins", "João Pires", "Beatriz Rocha", "Diego Nunes", "Maria Santos", "Emily Clark", "James Doyle",
    "Olivia Reed", "Sam Turner", "Priya Nair", "राहुल शर्मा", "अनीता वर्मा", "محمد الحسن", "فاطمة الزهراء",
    "سارة العلي", "王芳", "张伟", "刘洋", "Lucía Gómez", "Mehmet Kaya", "Nguyễn Văn An", "田中さくら", "สมชาย ใจดี",
)  # fmt: skip

PHRASES: dict[str, tuple[str, ...]] = {
    "PT": (
        "Bom dia, ainda têm o azulejo azul em stock?",
        "Quanto custa a entrega para o Porto?",
        "A encomenda {order} já saiu do armazém?",
        "Podem enviar a fatura {invoice} outra vez, por favor?",
        "São {amount} € com IVA, certo?",
        "Obrigado pela ajuda!",
        "Amanhã passo na loja às {n} horas para levantar as caixas.",
        "O painel ficou lindo, muito obrigada a toda a equipa.",
    ),
    "GB": (
        "Hello, do you ship the blue tiles to Ireland?",
        "Could you send invoice {invoice} again, please?",
        "I ordered {n} boxes last week, order {order}, and nothing has arrived yet.",
        "The total was {amount} EUR, is that with delivery?",
        "Thanks a lot!",
        "Two tiles were broken, can you replace them?",
        "What are your opening hours on Saturday?",
        "We would like to book the painting workshop for {n} people.",
    ),
    "AE": (
        "مرحبا، هل البلاط الأزرق متوفر الآن في المعرض؟",
        "أرجو إرسال الفاتورة {invoice} مرة أخرى إلى بريد الشركة",
        "متى يصل الطلب رقم {order}؟ نحن بحاجة إليه هذا الأسبوع",
        "السعر {amount} يورو مع التوصيل إلى العنوان نفسه؟",
        "شكرا جزيلا على المساعدة السريعة",
        "نحتاج {n} صندوقا إضافيا قبل يوم الخميس إن أمكن",
    ),
    "CN": (
        "你好，请问蓝色瓷砖还有现货吗？我们下周就要开始装修了",
        "我的订单 {order} 什么时候可以发货？已经等了好几天",
        "请再发一次发票 {invoice}，财务需要在月底之前报销，谢谢",
        "总价是 {amount} 欧元吗？请确认一下是否已经包括运费",
        "收到了，质量很好，非常感谢你们的耐心帮助",
        "我们还需要 {n} 箱同样颜色的瓷砖，请告诉我最快的交货时间",
    ),
    "IN": (
        "नमस्ते, क्या नीली टाइलें अभी दुकान में उपलब्ध हैं?",
        "कृपया चालान {invoice} दोबारा भेज दीजिए",
        "मेरा ऑर्डर {order} कब तक पहुँचेगा?",
        "कुल कीमत {amount} यूरो है, क्या इसमें डिलीवरी शामिल है?",
        "बहुत धन्यवाद!",
        "हमें अगले हफ़्ते तक {n} डिब्बे और चाहिए",
    ),
    "ES": (
        "Hola, ¿tienen azulejos blancos de 20x20?",
        "¿Pueden enviarme la factura {invoice}?",
        "El pedido {order} llegó perfecto, gracias.",
        "¿Me hacen un descuento si compro {n} cajas?",
    ),
    "JP": (
        "青いタイルの在庫はありますか？来週までに必要です。",
        "注文 {order} の発送日を教えてください。",
        "ありがとうございました。",
    ),
    "TH": ("สวัสดีค่ะ กระเบื้องสีน้ำเงินยังมีของไหมคะ", "ช่วยส่งใบแจ้งหนี้ {invoice} อีกครั้งได้ไหมคะ", "ขอบคุณมากค่ะ"),
}

WEIGHTS = {"PT": 30, "GB": 25, "AE": 12, "CN": 10, "IN": 10, "ES": 8, "JP": 3, "TH": 2}
"""How many of a hundred customers write in the language of that country."""

EMOJI = ("👍", "❤️", "🙏", "😂", "🎉")


def words(rng: random.Random, country: str) -> str:
    """One or two sentences in the language of ``country``, some 63 characters on average."""
    sentences = rng.choices(PHRASES[country], k=rng.choice((1, 2)))
    euros, cents = divmod(rng.randrange(1_000, 900_000), 100)
    return " ".join(sentences).format(
        order=f"ENC-2026-{rng.randrange(10_000):04d}",
        invoice=f"INV-2026-{rng.randrange(1_000_000):06d}",
        amount=f"{euros:,}".replace(",", ".") + f",{cents:02d}",
        n=rng.randrange(2, 20),
    )
