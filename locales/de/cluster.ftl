### Knoten, für Administratoren.

nodes-title = Knoten
node-add = Knoten hinzufügen
numbers-nodes = Knoten antworten
numbers-sites-live = Websites live
numbers-draining = { $count } wird geleert
numbers-moves = Im Umzug
numbers-planned = { $count } geplant
numbers-space = Belegter Platz

health-up = Antwortet
health-suspect = Keine Antwort
health-down = Tot

map-label = Karte der Knoten. Die Tabelle enthält dieselben Angaben.
map-node = Knoten { $node }: { $state }, { $sites ->
    [one] { $sites } Website live
   *[other] { $sites } Websites live
}, { $copies ->
    [one] { $copies } Kopie
   *[other] { $copies } Kopien
}
legend-live-site = Website, live
legend-copies = Kopien, breiter ist mehr
legend-ring = Ring: Last

column-node = Knoten
column-load = Last
column-live-sites = Websites live
column-copies = Kopien
column-version = Version
column-notes = Zu beachten

meter-processor = Prozessor
meter-memory = Speicher
meter-pool = Pool

node-holds = { $sites ->
    [one] { $sites } Website live
   *[other] { $sites } Websites live
} · { $copies ->
    [one] { $copies } Kopie
   *[other] { $copies } Kopien
}
node-no-report = Er hat noch nichts gemeldet.
node-live = Bedient
node-live-count = { $sites ->
    [one] { $sites } Website
   *[other] { $sites } Websites
}, { $databases ->
    [one] { $databases } Datenbank
   *[other] { $databases } Datenbanken
}
node-heaviest = Braucht gerade am meisten
cores-used = { $cores } Kerne
node-version = Version
node-reported = Letzte Meldung
node-started = Gestartet
node-problems = Zu beachten
node-services = Dienste
service-running = läuft
service-stopped = aus
service-failed = gescheitert
node-trouble = { $count ->
    [one] { $count } Sache
   *[other] { $count } Sachen
}
node-no-trouble = nichts

troubles-title = Zu beachten
troubles-none = Nichts. Sie müssen nichts tun.
troubles-none-text = Jeder Knoten antwortet, seine Dienste laufen, und er folgt den Einstellungen.
trouble-suspect = antwortet nicht. Bleibt es dabei, werden seine Websites binnen Sekunden übernommen.
trouble-down = ist tot. Seine Websites wurden übernommen, wo es eine Kopie gibt.
trouble-service = konnte { $service } nicht am Laufen halten.

## Einen Knoten hinzufügen

node-add-title = Knoten hinzufügen
node-add-valid = Der Schlüssel gilt
node-add-minutes = { $minutes ->
    [1440] 1 Tag
    [60] 1 Stunde
   *[other] { $minutes } Minuten
}
node-add-hint = Er lässt einen Server ein Mal beitreten. Halten Sie ihn bis dahin geheim.
node-add-button = Beitrittsschlüssel erzeugen
node-add-run = Auf dem neuen Server als root ausführen
node-add-once = Wird nur ein Mal gezeigt.
node-add-until = Gilt bis
node-add-how = Wie ein Knoten beitritt
node-add-step-install = Installieren Sie das Paket auf einem Server mit Debian 13.
node-add-step-token = Erzeugen Sie hier einen Beitrittsschlüssel und führen Sie dort den Befehl aus.
node-add-step-appears = Der Knoten erscheint auf der Karte und übernimmt von selbst Kopien.
