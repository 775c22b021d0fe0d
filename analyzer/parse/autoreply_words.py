"""The words of automatic replies in the languages that people write: in subjects, in texts, and what kind of answer they make."""

from __future__ import annotations

from analyzer.parse.words import Words

_AUTOMATIC = (  # a subject that only a machine writes
    r"automaattinen|\(out of (?:the )?office\)|\S/\S+ (?:is out of the office|ist au(?:ß|ss)er haus|est absent|está ausente|è assente|er ikke på kontoret|är inte på kontoret|is niet op kantoor|on poissa)|auto(?:matic|mated|matisch\w*)?[ _-]?(?:re(?:ply|sponse|spond\w*|turn reply)|antwort|answer)|auto ?: |auto-?confirmation|vacation (?:reply|notice|response|message|auto)|"
    r"out of (?:the )?office[ -]*(?:auto|reply|response|message|notification|notice|assistant)|"
    r"automat\w{0,8} (?:antwort|antwoord|odpowied\w*|odpov\w+|vastaus|poissaolo\w*|svar|válasz|odgovor|отговор|ответ|відповідь|atsakymas|atbilde)|(?:odpowied\w+|wiadomość) automatyczna|autoodpowied\w+|"
    r"r[eé](?:ponse|ply) (?:automatique|auto)|message d'absence|respuesta autom\w+|contestaci\w+ autom\w+|resposta autom\w+|risposta automatica|risponditore|autosvar|auto-?svar|frånvaro(?:meddelande)?|frånvarande|"
    r"abwesenheits\w*|răspuns automat|автоответ\w*|автовідповід\w*|otomatik (?:yanıt|cevap|ileti)|αυτ[όο]ματη απ[άα]ντηση|"
    r"自動(?:返信|応答|回答)|不在通知|自动(?:回复|答复|应答)|自動(?:回覆|回復|答覆)|자동 ?(?:회신|응답|답장)|رد تلقائي|الرد (?:ال)?تلقائي|(?:תשובה|הודעה) אוטומטית|מענה אוטומטי|"
    r"automaatvastus|samodejni odgovor|ตอบกลับอัตโนมัติ|trả lời tự động|balasan otomatis|پاسخ خودکار"
)
AWAY = (  # one that a person may write as well
    r"out of (?:the )?office|ooo\b|away from (?:my|the) (?:mail|e-?mail|office|desk)|(?:i am|i'm|currently|is) (?:out of|away|on (?:vacation|leave|holiday))|on (?:vacation|holiday|annual leave|parental leave|maternity leave)|"
    r"abwesen\w*|au(?:ß|ss)er haus|ich bin (?:zur ?zeit |derzeit |momentan |gerade )?nicht (?:da|hier|erreichbar)\b|nicht im (?:b[üu](?:e)?ro|hause?|dienst)|im urlaub|urlaub\b|absen(?:ce|t\w{0,2})\b|en congés?|fuera de (?:la )?oficina|de vacaciones|ausencia|ausente|ausência|fora do escrit[óo]rio|"
    r"fuori (?:ufficio|sede)|assen(?:za|te)|in ferie|afwezig\w*|met vakantie|fravær|ikke (?:på kontoret|til stede)|(?:inte|ej) på kontoret|niet (?:op|in) (?:het |ons )?kantoor|på semester|poissa(?:olo)?\b|lomalla|nieobecno\w+|urlop\b|poza biurem|"
    r"nep[řr]ítomn\w+|mimo (?:kancel[áa][řr]|pracovi\w+)|dovolen\w*|házon kívül|szabadság\w*|nem vagyok (?:itt|bent|elérhető)|în afara biroului|concediu|вне офиса|в отпуске|отсутств\w+|у відпустці|"
    r"ofis dışında|izinde|εκτός γραφείου|σε άδεια|απουσί(?:α|ας|αζω)\b|不在|休暇|休業|外出|休假|부재|휴가|خارج المكتب|في إجازة|מחוץ למשרד|בחופשה"
)
SUBJECT = Words(
    rf"^\s*(?:(?:re|aw|sv|antw|fw)\s*:\s*)?(?:\[[^\]]{{0,60}}\]\s*)?[^\n]{{0,50}}?(?:(?P<certain>{_AUTOMATIC})|(?P<away>{AWAY}))"
)
"""A subject of an automatic reply; `certain` where only a machine writes so."""

REPLY = Words(
    r"auto(?:matic|mated|matically)?(?:[ -]generated)?[ -]?(?:re(?:ply|sponse|spond\w*)|answer)|automati(?:sche|sch|c) (?:antwort|antwoord|svar)|automatisch beantwort\w*|r[eé]ponse automatique|respuesta autom|resposta autom|risposta automatica|"
    r"automatyczn\w+ odpowied|automatická odpov|automatikus válasz|răspuns automat|автоматическ\w+ ответ|автоответ|автоматичн\w+ відповід|automaattinen (?:vastaus|kuittaus)|vastaanottokuittaus|automatsko potvrđenje|automatický(?:m)? potvrzen|otomatik (?:yanıt|cevap)|αυτόματη απάντηση|自動(?:返信|応答)|自动(?:回复|答复)|자동 ?(?:회신|응답|답장)|الرد التلقائي|رد تلقائي|מענה אוטומטי|תשובה אוטומטית",
)
"""A text that calls itself an automatic reply."""

GENERATED = Words(
    r"(?:message|mail|e-?mail) (?:was|is|has been) (?:automatically |auto-?)(?:generated|sent|created)|(?:generated|sent|created) automatically|automatisch (?:generiert|erstellt|erzeugt|versandt|versendet|verzonden)|message automatique|envoyé automatiquement|mensaje autom|mensagem autom|messaggio automatico|"
    r"generat\w automaticamente|automatyczn\w+ wiadomo|wygenerowan\w+ automatycznie|автоматически|otomatik olarak|自動(?:送信|配信|的に)|自动发送|자동 ?발송",
)
"""A text that a machine wrote, of whatever kind: receipts say so too."""

HELD = Words(
    r"so (?:that )?i can receive your|unknown senders verified|(?:approve|authenticate|verify) yourself as a sender|add yourself to my|(?:click|confirm|visit|follow|reply|clique|cliquez|haga clic|klicken|bestätigen|clicca|klik|kliknij|нажмите|перейдите)[^.]{0,160}(?:your|sua|ihre|votre|su|il tuo|la tua|uw|twoj\w|ваше?)\s+(?:message|e-?mail|mail|mensagem|nachricht|courriel|mensaje|messaggio|bericht|wiadomo\w+|письмо|сообщение)\b[^.]{0,100}(?:deliver|releas|forward|reach|inbox|zugestellt|remis|entreg|consegn|доставл)|"
    r"(?:your|sua|ihre|votre|su|il tuo|la tua|uw|twoj\w|ваше?)\s+(?:message|e-?mail|mail|mensagem|nachricht|courriel|mensaje|messaggio|bericht|wiadomo\w+|письмо|сообщение)\b[^.]{0,80}"
    r"(?:(?:be|is|being) (?:held|delivered|released|forwarded)|seja (?:encaminhad|entreg)|zugestellt|remis|entregad|consegnat|afgeleverd|dostarcz|доставлен)(?:[^.]|\.\s){0,160}(?:click|confirm|clique|cliquez|haga clic|klick|bestätig|clicca|klik|нажмите)|messages? from you (?:is|are|was|were|has been|have been) (?:being )?held",
)
"""A text that lets a message through only when its sender does something."""

RECEIVED = Words(
    r"(?:we(?: have|'ve)?|has been|was|been) (?:now )?(?:success\w+ )?(?:received|got|logged|created|opened|registered) (?:your|and|as|for|with|a|the|under)\b.{0,60}\b(?:request|ticket|case|message|e-?mail|inquiry|enquiry|question|issue)|"
    r"we(?: have|'ve)? (?:got|received) your (?:request|message|e-?mail|inquiry|enquiry|mail|question|ticket)|(?:request|ticket|case|inquiry|enquiry|issue|incident)\b.{0,60}\b(?:has|have) been (?:received|logged|created|opened|assigned|registered|updated)|"
    r"(?:ticket|case|incident)[ -]?(?:number|id|#|no\.?)[ :#\[]|(?:has been|was|been)\s(?:given|assigned|allocated)\s(?:the |a |this )?(?:ticket |case |reference |tracking )?(?:number|id|reference)\b|\[?ticket ?#|##- please type your reply above|reply above this line|ticket (?:id|number)|your (?:ticket|case) (?:has|is|number)|creation of a (?:trouble )?ticket|"
    r"(?:ihre|deine) (?:anfrage|nachricht|e-?mail|mail)\b.{0,80}\b(?:erhalten|eingegangen|bearbeite\w*)|wir haben ihre|(?:ticket|vorgangs)-?(?:nummer|nr)|votre (?:demande|message|courriel|ticket)\b.{0,80}\b(?:re[çc]u\w*|enregistr\w*|prise? en compte)|"
    r"(?:su|tu) (?:solicitud|consulta|mensaje|correo|ticket)\b.{0,80}\b(?:recibid\w|registrad\w)|hemos recibido su|se ha (?:creado|abierto|generado|registrado) (?:la|el|un|una) (?:solicitud|caso|ticket|incidencia|consulta)|foi (?:criado|aberto|gerado) (?:o|um) (?:chamado|ticket|protocolo)|(?:sua|seu) (?:solicita\w+|mensagem|e-?mail|chamado)\b.{0,80}\b(?:recebid\w|registrad\w)|recebemos (?:a )?su|"
    r"(?:la )?(?:sua|vostra|tua) (?:richiesta|segnalazione|e-?mail|mail)\b.{0,80}\b(?:ricevut\w|registrat\w|presa in carico)|abbiamo ricevuto|uw (?:verzoek|vraag|bericht|e-?mail|melding)\b.{0,60}\bontvangen|"
    r"(?:twoj\w|państ\w+) (?:zgłoszenie|wiadomość)|(?:viesti(?:nne|si)?|yhteydenotto(?:nne|si)|pyyntö(?:nne|si)) (?:on )?(?:vastaanotettu|kirjattu|rekisteröity)|(?:solicitarea|cererea|mesajul) (?:dumneavoastră|dvs\.?|d-voastră) a fost (?:\w+ )?(?:creat|înregistrat|primit|recepționat|preluat)|otrzymaliśmy|zgłoszenie (?:\w+ ){0,2}zarejestrowan|dziękujemy za (?:przesłanie|kontakt|wiadomość)|obdrželi jsme|mottagit (?:ditt|er)|(?:henvendels|forespørs|meddelels|melding)\w* (?:din|deres)?.{0,40}\b(?:mottatt|modtaget|registrert)|(?:ditt|din) (?:ärende|meddelande|förfrågan).{0,40}(?:mottagit|mottaget|registrer)|modtaget din|mottatt (?:din|deres)|(?:ваш\w*) (?:обращени|запрос|заявк|сообщени|письмо)\w*.{0,60}(?:получен|принят|зарегистр)|"
    r"(?:din|deres) (?:sag|sak|henvendelse) er (?:oprettet|opprettet|registreret|registrert|modtaget|mottatt)|ditt ärende (?:är|har) |tak for (?:din|deres) (?:henvendelse|mail|e-mail|besked)|takk for (?:din|deres) (?:henvendelse|e-?post)|tack för (?:ditt|din) (?:mail|mejl|meddelande|e-?post)|(?:byl|bol) (?:založen|vytvořen|vytvorený) (?:požadavek|tiket|ticket)|(?:požadavek|požiadavk\w) č|заявк\w{1,3} (?:№|зарегистр)|talebiniz|お問い?合わせ(?:を|いただ|頂|内容|受付)|受け?付けました|受付番号|已(?:收到|受理)您?的?|您的(?:请求|工单|邮件|来信)已|工单|접수되었|문의(?:가|를|해)",
)
"""A text that confirms what was received."""

ELSEWHERE = Words(
    r"\b(?:parcels?|shipment|package|courier|tracking (?:number|code|id)|paket\w*|sendung\w*|colis|livraison|envío|(?:su|tu|el|de) envio|paquete|pacco|spedizione|encomenda|pakket\w*|zending|paczk\w+|przesyłk\w+|payment|invoice|order number)\b|посылк|荷物|お届け|宅配|包裹|快递|快件|택배",
)
"""What is delivered, returned and missed besides mail: parcels, payments."""

UNREAD = Words(
    r"no longer (?:be )?(?:monitored|read|checked|attended)|not (?:monitored|read|checked|attended|being monitored|regularly monitored|an? monitored)|unmonitored|unattended|"
    r"nicht (?:mehr )?(?:gelesen|abgerufen|betreut|bearbeitet|überwacht)|n'est (?:pas|plus) (?:lue?|surveill\w*|consult\w*)|no (?:se lee|es atendid\w)|non (?:è|e'?) presidiat|niet (?:meer )?gelezen|не (?:проверя\w+|читается|обслужив\w+)",
)
"""A text that says that nobody reads there: many receipts do, so it makes no answer by itself."""

TYPES = {
    "inbox-retired": Words(
        r"no longer (?:be )?(?:in use|active|used|valid)|(?:address|mailbox|inbox|account) (?:is|has been|was|will be) (?:retired|closed|discontinued|deactivated|shut|switched off)|"
        r"no longer (?:works?|working|employed|with|part of|an employee)\b|(?:has|have) left (?:the|our|his|her|this) |left the company|stop(?:ped)? (?:checking|reading|using) (?:this|that|it)|i(?:'ve| have) moved|please update your (?:address|contact|records)|passed away|(?:have|am|now|has) retired\b|verstorben|décédée?|fallecid[oa]|decedut[oa]|overleden|zmarł|скончал|jubilad[oa]|ruhestand|retraite\b|nedlagt|nedlagd|"
        r"(?:my|our|new|the) new (?:e-?mail|mail|e-mail)?[ -]?address|my (?:new|current) (?:e-?mail )?address|have a new e-?mail|changed (?:my|our|his|her) e-?mail|e-?mail address has changed|"
        r"nicht mehr (?:bei uns|im unternehmen|f(?:ü|ue|.)r uns|aktiv|besetzt|verwendet|genutzt)|neue (?:e-?mail-?)?(?:adresse|anschrift)|(?:unternehmen|firma|haus) verlassen|ausgeschieden|"
        r"n'est plus (?:utilis\w*|consult\w*|en service|valide|lue?|surveill\w*)|ne (?:fait|travaille) plus|a quitté (?:la|l'|notre|le)|nouvelle adresse|(?:mon|notre) adresse change|écrire désormais à|ya no (?:trabaj[ao]|labor[ao]|colabor[ao]|pertene[zc]\w{1,2}|se utiliza|está activ|forma parte|se lee)|(?:ha|han) dejado de (?:revisar|leer|atender|us|utiliz)|nueva direcci|"
        r"non (?:è|e'?) pi[uù] (?:attiv|in uso|presidiat|utilizzat|operativ)|non lavora più|nuovo indirizzo|(?:não|nao) (?:trabalha mais|é mais|está mais|faz mais)|novo (?:e-?mail|endereço)|niet meer (?:in gebruik|gelezen|werkzaam|actief)|nieuw e-?mail ?adres|"
        r"nie (?:pracuje już|jest już|jest obsługiwan)|nowy adres|již (?:zde |tu |v \w+ )?nepracuj|nová adresa|больше не (?:работа(?:ет|ю)|использу\w+|проверя\w+|читается|обслужив\w+)|новый адрес|slutat|arbetar inte längre|ikke længere|ei ole enää|"
        r"már nem dolgoz|(?:postafiók|címet)[^.]{0,30}(?:nem olvas|megszűn)|(?:ho|abbiamo) cambiato (?:indirizzo|e-?mail)|non (?:la |lo )?(?:controllo|leggo|uso|utilizzo) pi[uù]|non lavoro pi[uù]|verrà (?:chius|disattivat)|ya no trabajo|(?:ha dejado|dejó|dejará) de (?:utiliz|us|exist)|nadie (?:la|lo) (?:consulta|lee|revisa)|(?:he|hemos) cambiado de (?:correo|direcci)|não trabalho mais|mudei de (?:e-?mail|endereço)|"
        r"je ne travaille plus|(?:j'ai|nous avons) changé d'adresse|(?:już nie|nie) pracuję|zmieni\w{1,4} adres|(?:již|už) nepracuj|změni\w{1,3} adres|сменил\w? адрес|werk(?:t)? (?:hier )?niet (?:meer|langer)|jobber ikke lenger|har sluttet|fratrådt|en työskentele enää|nu mai lucre|artık [^.]{0,30}çalışm|δεν εργάζομαι πλέον|"
        r"no longer (?:opens?|reads?|monitors?|accepts?)\b|(?:nobody|no one) (?:looks|reads|checks)[^.]{0,60}\b(?:any ?more|any longer)|退職(?:いた|し)|(?:使用|利用|運用)を(?:終了|停止|廃止)|(?:このアドレス|メールアドレス)[^。]{0,20}(?:廃止|閉鎖)|(?:don.?t|do not|no longer) (?:check|read|use|monitor|look at) this (?:inbox|mailbox|address|account|e-?mail)|使用(?:して|されて)おりません|新しい(?:メール)?アドレス|已(?:离职|停用|不再使用)|不再使用|퇴사|더 이상 사용|لم أعد (?:أعمل|موظف)|ترك(?:ت)? العمل|غادر(?:ت)? الشركة|will be (?:closed|switched off|shut down|deactivated|discontinued)|(?:has|have) now left\b|no longer (?:being )?(?:checked|monitored)|(?:encerrou|fechou) (?:as (?:suas )?portas|a(?:c)?tividade|definitivamente)|deixou de (?:ser )?(?:consultad|lid|utilizad|existir|funcionar)|será desa(?:c)?tivad|(?:đã nghỉ (?:hưu|việc)|không còn (?:sử dụng|làm việc|dùng))|gibt es nur noch bis|schaut (?:hier )?niemand mehr|adresse (?:ist )?veraltet|ha dejado de estar (?:operativ|activ|en us)",
    ),
    "challenge": Words(
        r"(?:confirm|verify|prove) (?:that )?you(?:'re| are)? (?:an? )?(?:human|person|real|not)|challenge.{0,20}response|\b(?:click|reply|follow|send|visit|press|complete|authori[sz]e)\b[^.]{0,80}(?:to (?:be )?(?:deliver|release|approve|whitelist)|so that (?:your|the) (?:message|e-?mail))|"
        r"approve (?:the |this )?sender|sender (?:verification|authentication) required|boxbe|spam ?arrest|spamblocker|suspect e-?mail|[\"“]suspect[\"”] folder|(?:mail|messages) from unknown senders|held (?:until|pending|because|awaiting)|being held (?:until|pending|because|awaiting|for (?:approval|confirm|verif|moderation|review))|to release your message|(?:not (?:yet )?(?:on|in) (?:my|the|his|her) (?:approved|allowed|safe|guest|white))|"
        r"(?:request to be|added to) (?:my|the|his|her) (?:guest|allowed|approved|white|safe) ?(?:list|senders?)|please confirm your (?:message|e-?mail)|was waitlisted|(?:approve|authenticate) yourself|add yourself to my|unknown senders verified|confirm (?:delivery of )?your (?:message|e-?mail)|one[- ]time (?:confirmation|verification)|unconfirmed (?:message|sender)|tmda|approved senders|senders (?:that |whom )?i have approved|allow (?:incoming )?(?:messages|mail|e-?mail) only from|verify (?:yourself|themselves|your (?:e-?mail )?address) (?:before|so|to)|so i can receive your|para que (?:a )?(?:sua )?mensagem seja (?:encaminhad|entreg)|para que (?:su|el) mensaje sea (?:entreg|enviad)|pour que votre (?:message|courriel) soit|damit ihre (?:nachricht|e-?mail|mail) zugestellt|confirmação de e-?mail|tira-?teima|confirm\w{1,4} que (?:você |vous |usted |lei |sie |tú )?(?:é|es|êtes|è|eres|sind) (?:uma|une|una|ein|um) (?:pessoa|personne|persona|humain|mensch|ser humano)|confirmar (?:o|su|el) env|(?:digit|escrib|ingres|sais|inser|tipp|gib|geben|overtyp|wpis)\w{0,5} [^.]{0,30}(?:caracteres|caractères|caratteri|zeichen|letras|tekens|znaki)|vous authentifier|authentifizieren sie sich|"
        r"(?<!\bno )(?<!\bne )(?<!\bnon )(?<!\bnão )\b(?:conteste|responda|répond(?:ez|re)|antworten sie(?! (?:bitte )?nicht)|risponda|beantwoord|odpowiedz|ответьте)\b[^.]{0,120}\.?[^.]{0,80}(?:entreg|zugestellt|ausgeliefert|remis\b|consegn|recapit|afgeleverd|bezorgd|dostarcz|доставл)|best(?:ä|ae)tigen sie (?:ihre|den|die)[^.]{0,60}(?:nachricht|absender|zustell)|confirmer (?:votre|l'envoi)|confirmar (?:su|el env)",
    ),
    "vacation": Words(
        r"(?:are|is|be|remain) closed (?:from|until|till|for|over|between)|gesloten (?:van|tot|tussen)|geschlossen (?:von|vom|bis|zwischen|über|während)|fermée?s? (?:du|jusqu|pendant|pour|durant)|cerrad[oa]s? (?:del|desde|hasta|durante|por)|chius[oaie] (?:dal|fino|per|durante)|fechad[oa]s? (?:de|at[eé]|durante|para)|encerrad[oa]s? (?:de|at[eé]|durante|para)|stengt (?:fra|til|i|over)|lukket (?:fra|til|i|over)|stängt (?:från|till|under|över)|zamknięt\w+ (?:od|do|w)|(?:jest|będzie) nieczynn|(?:nie)?czynn\w+ (?:od|do)|zavřen\w (?:od|do|přes)|zárva (?:leszünk|vagyunk|tart)|închis\w? (?:de|până|în)|закрыт\w* (?:с|до|на)\b|зачинен\w* (?:з|до|на)\b|suljettu (?:\w+ )?\d|kapalı(?:yız|dır)|κλειστ[άόήοέ]\w? (?:από|έως|μέχρι)|หยุดทำการ|nghỉ (?:lễ|phép|tết)|bin (?:noch )?bis \S{1,12} (?:in|im|am|auf|nicht|weg)\b|(?:er|är) ikke tilbage før|out of (?:the |my )?office|(?:be|am|are|is|get|been|'ll be) back (?:in|on|at|to(?! you\b)|by|after|from)\b|return(?:ing)? (?:on|to (?:the )?(?:office|work)|after)|limited (?:access|e-?mail)|no access to (?:my )?e-?mail|vacation|on (?:\w+ )?leave\b|on (?:a )?holidays?|away (?:from|until|till|this|on)|maternity|paternity|parental leave|sabbatical|i am (?:currently )?(?:away|traveling|travelling|out)|until (?:i|my) return|in my absence|until (?:the )?\d{1,2}(?:st|nd|rd|th)?\b|no (?:phone|signal|internet|access to e?-?mail)|"
        r"abwesen|urlaub|nicht im (?:b[uü](?:e)?ro|hause?|dienst)|au(?:ß|ss)er haus|(?:erst )?wieder (?:erreichbar|im (?:b[uü]ro|haus)|da\b|zur(?:ü|ue)ck|ab (?:dem )?\d)|ohne internet|absen(?:ce|te?s?)\b|en (?:vacances|déplacement)|cong[eé]s?\b|de retour|mon retour|vacaciones|fuera de (?:la |mi )?oficina|ausent|regreso|ferie|fuori (?:ufficio|sede)|assen(?:te|za)|rientro|afwezig|vakantie|weer (?:aanwezig|terug)|"
        r"nieobecn|urlop|wracam|ozvu se (?:\w+ ){0,2}(?:po|až)\b|vrátím se|budu zpět|zpět v kanceláři|legk[öo]zelebb (?:\w+ ){0,2}(?:olvas|leszek|tudok)|(?:vissza|újra) (?:\w+ ){0,2}(?:érek|jövök|leszek)|(?:revin|mă întorc) (?:pe|în|după|la)\b|λείπω|απουσι[άα]|επιστρέφω|отпуск|отсутств|відпуст|відсутн|вернусь|不在|休暇|休業|休み|休业|休假|假期|放假|節假日|节假日|节后|節後|年假|出差|外出|出張|出差|fravær|ferie\b|ikke (?:på kontoret|til stede|tilgang)|inte på kontoret|semester|frånvaro|föräldraledig|tillbaka|tilbage|tilbake|lomalla|loma\w*|poissa|dovolen|nepřítom|szabads|concediu|f[eé]rias|aus[eê]ncia|retorno|"
        r"tatil|izin(?:de|li)|ofiste|άδεια|γραφείο|διακοπ|휴가|부재|출장|إجازة|أعود|المكتب|חופש|אחזור|משרד|\bcuti\b|liburan|odmor|odsut|atvaļināj|atostog|puhkus",
    ),
    "ticket": Words(
        r"\bticket|case (?:number|id|#|ref)|thank you for (?:contacting|your (?:e-?mail|message|inquiry|enquiry|request))|acus[eo] de recibo|reference number|vorgangsnummer|ihre anfrage|num[eé]ro de (?:dossier|ticket|demande)|"
        + RECEIVED.pattern,
    ),
}
"""What kind of answer it is; the first that matches, the subject before the text."""
