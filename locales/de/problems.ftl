### Was schiefging und was zu tun ist, eine Meldung für jeden Code der API. $detail ist der Wert, den
### die API dazu nennt; $has_detail ist "no", wo sie keinen nennt.

problem-malformed = Die Anfrage war nicht lesbar. Laden Sie die Seite neu und wiederholen Sie sie.
problem-invalid = Dieser Wert geht hier nicht.
problem-sign-in-required = Niemand ist angemeldet. Melden Sie sich an, um weiterzumachen.
problem-session-expired = Ihre Sitzung ist abgelaufen. Melden Sie sich an, um weiterzumachen.
problem-wrong-password = Benutzername und Passwort gehören nicht zusammen.
problem-too-many-attempts = { $has_detail ->
    [no] Zu viele falsche Passwörter. Warten Sie eine Weile, bevor Sie es wieder versuchen.
   *[yes] Zu viele falsche Passwörter. Warten Sie { $detail } s, bevor Sie es wieder versuchen.
}
problem-forbidden = Ihr Konto darf das nicht. Ein Administrator darf es.
problem-foreign-origin = Die Anfrage kam von einer fremden Website und wurde abgelehnt. Nichts wurde geändert.
problem-not-found = Das gibt es nicht mehr, oder es gehört zu einem anderen Konto.
problem-domain-taken = { $detail } gehört schon zu einer Website. Wählen Sie eine andere Domain, oder löschen Sie zuerst jene Website.
problem-domain-invalid = Das ist keine Domain. Sie sollte aussehen wie shop.example.
problem-login-taken = Dieser Benutzername gehört schon jemandem. Wählen Sie einen anderen.
problem-password-weak = { $has_detail ->
    [no] Dieses Passwort ist zu leicht zu erraten. Nehmen Sie ein längeres.
   *[yes] Dieses Passwort ist zu leicht zu erraten. Nehmen Sie mindestens { $detail } Zeichen.
}
problem-site-limit = Ihr Konto hat so viele Websites, wie es darf: { $detail }. Löschen Sie eine, oder bitten Sie um eine höhere Grenze.
problem-database-limit = Ihr Konto hat so viele Datenbanken, wie es darf: { $detail }. Löschen Sie eine, oder bitten Sie um eine höhere Grenze.
problem-database-taken = Eine Datenbank oder ein Benutzer dieses Namens besteht schon. Wählen Sie einen anderen Namen.
problem-no-node = Kein Knoten kann es gerade aufnehmen: Zu wenige antworten, oder ihre Platten sind voll. Versuchen Sie es später.
problem-unknown-node = Einen Knoten dieses Namens gibt es nicht.
problem-node-down = Dieser Knoten antwortet nicht. Wählen Sie einen anderen, oder warten Sie, bis er wieder da ist.
problem-node-draining = Dieser Knoten wird gerade geräumt. Nehmen Sie ihn erst wieder in Betrieb, oder wählen Sie einen anderen.
problem-node-not-draining = Dieser Knoten wird nicht geräumt.
problem-node-full = Auf diesem Knoten ist dafür nicht genug Platz frei. Wählen Sie einen anderen.
problem-node-not-hosting = Dieser Knoten beherbergt nichts. Wählen Sie einen anderen.
problem-node-alive = { $has_detail ->
    [yes] { $detail } antwortet noch. Nur Knoten, die weg sind, können aufgegeben werden.
   *[no] Dieser Knoten antwortet noch. Nur Knoten, die weg sind, können aufgegeben werden.
}
problem-already-there = Die Website ist schon auf diesem Knoten aktiv.
problem-move-called-off = { $detail ->
    [vetoed] Der Umzug wurde abgesagt. Die Website ist, wo sie war.
    [needless] Der Umzug war nicht mehr nötig. Die Website ist, wo sie war.
    [target-unfit] Der andere Knoten kann die Website nicht mehr aufnehmen. Sie ist, wo sie war.
    [target-lost] Der andere Knoten antwortet nicht mehr. Die Website ist, wo sie war.
    [too-long] Der Umzug dauerte länger, als Besucher warten sollen. Die Website ist, wo sie war.
    [no-copy] Der andere Knoten konnte keine Kopie bekommen. Die Website ist, wo sie war.
    [unit-stays] Ein anderer Teil der Website bleibt, darum auch dieser.
    [not-live] Sie wurde anderswo aktiv oder gelöscht.
    [stood-still] Der Knoten stand einen Moment still. Die Website ist, wo sie war.
    [not-taken] Der andere Knoten hat die Website nicht übernommen. Sie ist, wo sie war.
    [restarted] Der Knoten wurde neu gestartet. Verschieben Sie die Website noch einmal.
   *[other] Der Umzug wurde abgesagt. Die Website ist, wo sie war.
}
problem-too-few-copies = { $has_detail ->
    [yes] Websites und Datenbanken, die zu wenige Kopien behielten: { $detail }. Fügen Sie erst einen Knoten hinzu, oder lassen Sie weniger Kopien zu.
   *[no] Damit gäbe es zu wenige Kopien. Fügen Sie erst einen Knoten hinzu, oder lassen Sie weniger Kopien zu.
}
problem-last-node = Dies ist der letzte Knoten, der Websites beherbergt. Fügen Sie erst einen anderen hinzu.
problem-node-taken = Name oder Adresse des Knotens gehört einem anderen Knoten des Clusters.
problem-token-wrong = Dieser Beitrittsschlüssel ist unbekannt. Erzeugen Sie einen neuen.
problem-token-used = Dieser Beitrittsschlüssel wurde schon benutzt: Jeder gilt für einen Knoten. Erzeugen Sie einen neuen.
problem-token-expired = Dieser Beitrittsschlüssel ist abgelaufen. Erzeugen Sie einen neuen.
problem-other-cluster = Der Knoten gehört zu einem anderen Cluster.
problem-already-member = Der Knoten gehört schon zu einem Cluster.
problem-not-member = Dieser Knoten gehört noch zu keinem Cluster.
problem-unknown-app = Diese Anwendung steht nicht im Katalog.
problem-site-not-empty = In dieser Website liegen schon Dateien. Stimmen Sie unten zu, dass sie ersetzt werden, oder wählen Sie eine andere Website.
problem-archive-checksum = Das Archiv der Anwendung ist nicht das, was der Katalog erwartet; es wurde nicht benutzt. Sagen Sie es dem Administrator.
problem-archive-unavailable = Das Archiv der Anwendung war nicht zu bekommen. Versuchen Sie es noch einmal; bleibt es so, sagen Sie es dem Administrator.
problem-install-failed = { $has_detail ->
    [no] Die Installation ist gescheitert. Das Protokoll sagt, warum; Sie können neu beginnen.
   *[yes] Die Installation ist bei „{ $detail }“ gescheitert. Das Protokoll sagt, warum; Sie können neu beginnen.
}
problem-job-interrupted = Der Knoten, der daran arbeitete, ist ausgefallen. Beginnen Sie neu; Halbfertiges wird ersetzt.
problem-site-busy = Mit dieser Website geschieht gerade etwas. Warten Sie, bis es fertig ist.
problem-site-not-live = Die Website wird gerade von keinem Knoten bedient. Sie kommt von selbst wieder; versuchen Sie es dann.
problem-disk-full = Die Platte des Knotens ist voll. Nichts wurde geändert. Sagen Sie es dem Administrator.
problem-settings-read-only = Einstellungen sind nur lesbar: Die meisten Knoten, die sie aufbewahren, sind nicht erreichbar. Websites laufen weiter; versuchen Sie es, wenn die Knoten wieder da sind.
problem-configuration-refused = { $has_detail ->
    [no] Ein Dienst hat die neue Konfiguration abgelehnt; die alte bleibt.
   *[yes] Ein Dienst hat die neue Konfiguration abgelehnt; die alte bleibt: { $detail }
}
problem-too-large = Das ist größer als erlaubt.
problem-conflict = Jemand hat es inzwischen geändert. Laden Sie die Seite neu und wiederholen Sie Ihre Änderung.
problem-internal = { $has_detail ->
    [no] Im Inneren ist etwas kaputtgegangen. Versuchen Sie es noch einmal; bleibt es so, sagen Sie es dem Administrator.
   *[yes] Im Inneren ist etwas kaputtgegangen. Versuchen Sie es noch einmal; bleibt es so, nennen Sie dem Administrator die Nummer { $detail }.
}

## Welche Regel ein getippter Name bricht

rule-empty = Das kann nicht leer bleiben.
rule-too-long = Hier passen höchstens { $limit } Zeichen hin.
rule-space = Ein Leerzeichen oder Zeilenumbruch kann hier nicht stehen.
rule-character = { $character } kann hier nicht stehen.
rule-domain = Das ist keine Domain. Sie sollte aussehen wie shop.example.
rule-range = Wählen Sie eine ganze Zahl von { $least } bis { $most }.
rule-shape = Das sieht nicht richtig aus. Vergleichen Sie es mit dem Beispiel.
