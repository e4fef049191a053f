### Wer die Einstellungen bewahrt, und verlorene Knoten, für Administratoren.

voters-title = Stimmberechtigte
voters-writable = Einstellungen lassen sich ändern
voters-on-edge = Einstellungen lassen sich ändern, aber kein Stimmberechtigter darf mehr ausfallen
voters-read-only = Einstellungen sind nur lesbar
voters-counts = Stimmberechtigte, die antworten: { $answering } von { $voters }; nötig: { $needed }.
voters-may-fail = { $count ->
    [0] Fällt noch einer aus, sind die Einstellungen nur noch lesbar. Websites und Übernahmen laufen weiter.
    [one] { $count } weiterer darf ausfallen.
   *[other] { $count } weitere dürfen ausfallen.
}
voters-no-majority = Websites und Übernahmen laufen weiter. Starten Sie die fehlenden Knoten; sind sie endgültig fort, geben Sie sie auf.
voters-no-leader = Sie einigen sich, wer die Änderungen ordnet. Das dauert Sekunden.
standing-lost-settings = Der Knoten hinter dieser Seite hat Einstellungen verloren, die er bestätigt hatte. Entfernen Sie ihn aus dem Cluster, und lassen Sie ihn neu beitreten.
standing-outdated = Die Einstellungen enthalten, was der Knoten hinter dieser Seite nicht versteht, weil er zu alt ist. Aktualisieren Sie ihn.
voters-nodes = Knoten
voters-change = neueste Änderung { $index }
column-part = Seine Rolle
column-change = Folgt Änderung
part-leader = Stimmt ab und ordnet die Änderungen
part-leader-witness = Zeuge: stimmt nur ab, und ordnet die Änderungen
part-voter = Stimmt ab
part-witness = Zeuge: stimmt nur ab
part-learner = Folgt
part-none = –
voters-how = Wie Einstellungen bewahrt werden
voters-how-majority = Stimmberechtigte bewahren die Einstellungen gemeinsam: Eine Änderung gilt, sobald mehr als die Hälfte sie auf der Platte hat. Der Cluster wählt bis zu sieben.
voters-how-learners = Alle anderen Knoten folgen. Einer rückt nach, wenn ein Stimmberechtigter ausfällt.
voters-how-witness = Ein Zeuge hält keine Websites und stimmt nur ab: Ein kleiner dritter Server macht zwei Knoten sicher. Schalten Sie dazu auf einem Knoten das Hosting aus.
voters-how-sites = Websites und Übernahmen warten nie auf die Einstellungen.

## Verlorene Knoten

lost-title = Verlorene Knoten aufgeben
lost-begin = Verlorene Knoten aufgeben…
lost-begin-hint = Nur, wenn sie nie wiederkommen.
lost-none = Jeder Knoten antwortet
lost-none-text = Nur Knoten, die endgültig fort sind, können aufgegeben werden.
lost-back = Zu den Stimmberechtigten
lost-when = Geben Sie Knoten nur auf, wenn sie endgültig fort sind: verbrannt, gestohlen, gelöscht. Ein Knoten, der nur ausgeschaltet ist, kommt mit allem wieder, was er hat.
lost-which = Knoten, die fort sind
lost-preview = Zeigen, was es bedeutet…
lost-keep = Weiter auf sie warten
lost-other = Andere wählen
lost-means-nodes = Aufgegeben: { $nodes }. Sie können mit dem, was sie halten, nie zurückkehren; ein Server dieses Namens muss neu beitreten.
lost-means-voters = Diese machen weiter und bewahren die Einstellungen: { $nodes }.
lost-means-settings = Die Einstellungen stehen bei Änderung { $index }. Änderungen, die nur die verlorenen Knoten kannten, sind fort.
lost-no-site = Jede Website hat eine Kopie auf einem Knoten, der bleibt. Keine geht verloren.
lost-sites = { $count ->
    [one] { $count } Website hat anderswo keine Kopie und ist verloren
   *[other] { $count } Websites haben anderswo keine Kopie und sind verloren
}
lost-sites-more = und { $count } weitere
lost-confirm = Geben Sie zur Bestätigung die Namen ein:
lost-mismatch = Das sind nicht die Namen.
lost-button = { $nodes } aufgeben
