### Der Rahmen um jede Seite: wie er heißt, wie Zahlen und Zeiten geschrieben werden.

language-name = Deutsch
language-direction = ltr

product-name = Hybrid Web Cluster

## Zahlen und Einheiten. Zwischen Zahl und Einheit steht ein Leerzeichen.

number-group = .
number-decimal = ,
unit-bytes = { $value } B
unit-kilobytes = { $value } kB
unit-megabytes = { $value } MB
unit-gigabytes = { $value } GB
unit-terabytes = { $value } TB
unit-seconds = { $value } s
unit-minutes = { $value } min
unit-hours = { $value } h
unit-days = { $value } d
age-ago = vor { $age }
of-all = von { $count }
cores = { $cores ->
    [one] { $cores } Kern
   *[other] { $cores } Kerne
}

## Zeitpunkte

moment-utc = { $date }, { $time } UTC
moment-day = { $date }, { $time }
moment-clock-utc = { $time } UTC
moment-today = heute { $time }
moment-date = { $day }. { $month }
month-1 = Jan.
month-2 = Feb.
month-3 = März
month-4 = Apr.
month-5 = Mai
month-6 = Juni
month-7 = Juli
month-8 = Aug.
month-9 = Sep.
month-10 = Okt.
month-11 = Nov.
month-12 = Dez.

## Navigation

skip-to-content = Zum Inhalt springen
open-menu = Menü öffnen
nav-main = Hauptmenü
nav-crumbs = Sie sind hier
nav-my-sites = Meine Websites
nav-all-sites = Alle Websites
nav-site = Website
nav-overview = Überblick
nav-apps = Anwendungen
nav-nodes = Knoten
nav-sites = Websites
nav-accounts = Konten
nav-data = Daten
nav-care = Pflege
to-first-page = Zur ersten Seite

## Wer angemeldet ist

who-menu = Sprache, Darstellung, Abmelden
role-administrator = Administrator
role-customer = Kunde
sign-out = Abmelden
language-label = Sprache
theme-label = Darstellung
theme-system = System
theme-light = Hell
theme-dark = Dunkel

## Zustände der Seite

settings-all-live = Alle Änderungen sind wirksam
settings-applied-on = Einstellungen auf { $applied } von { $nodes } Knoten
settings-read-only = Einstellungen sind nur lesbar: Die meisten Knoten, die sie aufbewahren, sind nicht erreichbar. Websites und Übernahmen laufen weiter; Änderungen müssen warten.
settings-read-only-short = Einstellungen nur lesbar
connection-broken = Verbindung wird neu aufgebaut. Was Sie sehen, kann einige Sekunden alt sein.
updating-live = Aktualisiert sich
waiting = Wird geladen
nowhere = nirgends

## Wörter auf Knöpfen

cancel = Abbrechen
close = Schließen
copy = Kopieren
copied = Kopiert
keep-it = Behalten
try-again = Noch einmal versuchen
opens-new-tab = (öffnet einen neuen Tab)
password-show = Passwort zeigen
password-generate = Erzeugen
view-label = Ansicht
view-cards = Karten
view-map = Karte
view-table = Tabelle

## Aktivität

activity = Aktivität
activity-open = { $running ->
    [0] Aktivität
    [one] Aktivität, { $running } läuft
   *[other] Aktivität, { $running } laufen
}
activity-none = Es läuft nichts, und es lief in letzter Zeit nichts.
feed-title = Was geschehen ist
feed-site-created = { $site } wurde angelegt

## Was auf der Seite zuvor getan wurde

done-site-created = Die Website ist angelegt. In wenigen Sekunden ist sie erreichbar.
done-site-deleted = Die Website ist gelöscht.
done-account-created = Der Kunde kann sich jetzt anmelden.
done-account-deleted = Das Konto ist gelöscht.

## Anstelle einer Seite

not-found-title = Nicht gefunden
not-found-fact = Unter dieser Adresse gibt es nichts
not-found-text = Vielleicht wurde es gelöscht, oder es gehört zu einem anderen Konto.
forbidden-title = Für Administratoren
forbidden-fact = Ihr Konto darf diese Seite nicht sehen
forbidden-text = Sie betrifft den ganzen Cluster. Ein Administrator kann sie Ihnen zeigen oder es für Sie tun.
unreachable-title = Das Panel erreicht den Cluster nicht
unreachable-sites-go-on = Die Websites werden von einem anderen Programm ausgeliefert und sind nicht betroffen. Vielleicht antwortet das Panel eines anderen Knotens.
refusal-unreachable = Niemand hat geantwortet. Soweit wir wissen, wurde nichts geändert. Versuchen Sie es in einigen Sekunden noch einmal.

## Strg K

find-open = Suchen oder hingehen
find-placeholder = Suchen …
find-none = Nichts dieses Namens.
find-do = Tun
find-go = Gehe zu
find-install = Anwendung auf { $site } installieren
find-move = { $site } umziehen
find-drain = { $node } leeren
find-undrain = { $node } wieder in Betrieb nehmen
find-node-settings = Zone und Dienste von { $node }
