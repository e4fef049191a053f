### Websites: die Liste, eine neue, eine von ihnen.

sites-my-title = Meine Websites
sites-all-title = Websites
sites-none = Noch keine Website
sites-none-text = Eine Website ist eine Domain mit ihren Dateien, Datenbanken und ihrem Zertifikat. Sie ist in wenigen Sekunden angelegt.
site-new = Neue Website

## Zustände

state-live = Live
state-starting = Startet
state-moving = Zieht um
state-down = Antwortet nicht

live-on = Live auf { $node }
starting-on = Startet auf { $node }
live-nowhere = Nirgends live
copy-on = Kopie auf { $node }
copy-word = Kopie
copy-current = aktuell
copy-incomplete = entsteht gerade
copy-unreachable = nicht erreichbar
copy-unknown-age = Alter unbekannt

## Wie gut eine Website geschützt ist. Kopien sind die auf anderen Knoten.

protection-current = { $copies ->
    [one] Geschützt: { $copies } Kopie, aktuell
   *[other] Geschützt: { $copies } Kopien, aktuell
}
protection-age = { $copies ->
    [one] Geschützt: { $copies } Kopie, neueste { $age }
   *[other] Geschützt: { $copies } Kopien, neueste { $age }
}
protection-unknown-age = { $copies ->
    [one] Geschützt: { $copies } Kopie
   *[other] Geschützt: { $copies } Kopien
}
protection-partial = { $current } von { $copies } Kopien aktuell
protection-begun = Die erste Kopie entsteht gerade
protection-none = Keine Kopie auf einem anderen Knoten

## Zahlen

numbers-sites = Websites
numbers-databases = { $used } von { $limit } Datenbanken
numbers-databases-word = Datenbanken
numbers-live = Live
numbers-protected = Geschützt
numbers-used = Belegter Platz
size-files = Dateien
size-database = Datenbank
php-version = PHP { $version }

## Spalten

column-site = Website
column-state = Zustand
column-owner = Inhaber
column-live-on = Live auf
column-protection = Schutz
column-size = Größe

## Eine neue Website

site-create-title = Neue Website
site-create-domain = Domain
site-create-domain-hint = Die Domain darf noch woandershin zeigen; die Website antwortet, sobald sie hierher zeigt.
site-create-punycode = Im DNS heißt sie
site-create-owner = Für
site-create-owner-me = Mein eigenes Konto
site-create-button = Website anlegen
site-create-takes = Dauert wenige Sekunden
site-create-makes = Was angelegt wird
site-create-makes-files = Ein Ordner für ihre Dateien, mit PHP
site-create-makes-copy = Kopien auf anderen Knoten, höchstens Sekunden alt
site-create-makes-certificate = HTTPS, von Anfang an
site-create-makes-apps = Platz für eine Anwendung wie WordPress

## Die Seite einer Website

site-open = Website öffnen
site-delete = Löschen …
site-empty = Die Website ist leer
site-empty-text = Installieren Sie WordPress mit einem Klick: Dateien, Datenbank und Zertifikat werden für Sie eingerichtet.
site-empty-wordpress = WordPress installieren
site-empty-other = Andere Anwendungen
where-title = Wo Ihre Website ist
where-updates-live = aktualisiert sich
where-visitors = Besucher
where-any-node = jeder Knoten antwortet
where-live = Live auf { $node }.
where-nowhere = Auf keinem Knoten live.
where-copy = Kopie auf { $node }, { $age }.
where-answers = Antwortet Besuchern
where-moving = Zieht um, Besucher warten
where-requests-wait = Besucher warten
where-no-node = Kein Knoten erreichbar
what-if-nothing = Fällt { $node } aus, übernimmt binnen Sekunden eine Kopie. Im Moment ginge keine Änderung verloren.
what-if-age = Fällt { $node } aus, übernimmt binnen Sekunden eine Kopie. Gefährdet sind höchstens die Änderungen der letzten { $age }.
what-if-takeover = Fällt { $node } aus, übernimmt binnen Sekunden eine Kopie.
what-if-unprotected = Fällt { $node } jetzt aus, wartet die Website auf ihn: Es gibt noch keine vollständige Kopie.
what-if-down = Besucher warten bis zu 15 s und sehen dann einen Hinweis. Die Website antwortet von selbst, sobald ein Knoten mit ihren Daten wieder da ist.
what-if-kept = { $count ->
    [one] Eine ältere Fassung, die einen Vergleich verlor, ist aufgehoben.
   *[other] { $count } ältere Fassungen, die einen Vergleich verloren, sind aufgehoben.
}
domains-title = Domains
domain-main = Hauptdomain
domain-other = Antwortet ebenfalls
domain-open = { $domain } in einem neuen Tab öffnen
databases-title = Datenbanken
database-facts = { $size } · live auf { $node }
runs-on-title = Läuft mit
runs-php = PHP
runs-app = Anwendung
runs-database-host = Datenbankserver
runs-database-user = Datenbankbenutzer
app-none = noch keine

## Eine Website löschen

site-delete-title = { $site } löschen?
site-delete-crumb = Löschen
site-delete-visitors = { $domains ->
    [one] Besucher sehen sofort „nicht gefunden“.
   *[other] Besucher sehen sofort „nicht gefunden“, auf { $domains } Domains.
}
site-delete-databases = { $databases ->
    [0] Sie hat keine Datenbank.
    [one] Ihre Datenbank wird mit ihr gelöscht.
   *[other] Ihre { $databases } Datenbanken werden mit ihr gelöscht.
}
site-delete-copies = Auch die Kopien auf anderen Knoten werden entfernt.
site-delete-confirm = Tippen Sie zur Bestätigung
site-delete-mismatch = Das ist nicht ihre Domain. Nichts wurde gelöscht.
site-delete-button = { $site } löschen
