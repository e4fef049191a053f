### Umzüge von Websites, das Leeren von Knoten, und warum etwas ist, wo es ist.

## Ein laufender Umzug

move-to = Zieht um auf { $node }
move-of = Umzug von { $what }
move-phase-planned = geplant
move-phase-copying = wird vorausgeschickt
move-phase-closing = laufende Anfragen werden fertig
move-phase-finishing = letzte Daten unterwegs
move-phase-promoting = der andere Knoten übernimmt
move-reason-asked = von der Verwaltung gewünscht
move-reason-asked-by = von { $name } gewünscht
move-reason-asked-root = von root auf einem Knoten gewünscht
move-reason-drain = der Knoten wird geleert
move-reason-balance = der Knoten war stärker belastet als ein anderer
move-reason-reunite = der Rest der Website ist dort
move-reason-pin = zurück auf den festgelegten Knoten
move-visitors-wait = Besucher warten
move-not-before = Nicht vor
move-data = { $sent } gesendet, { $left } übrig
move-left = noch etwa { $time }
move-call-off = Abbrechen
move-call-off-hint = Die Website bleibt, wo sie ist. Nichts geht verloren.

## Umzüge im ganzen Cluster

moves-title = Umzüge
moves-way = von { $from } nach { $to }
moves-hold = Halten
moves-hold-label = { $site } einen Tag lang halten, wo sie ist
moves-none = Nichts zieht um, und nichts ist geplant.
moves-none-yet = Noch ist nichts umgezogen. Jeder Umzug lässt hier seine Quittung.
legend-move = Umzug
node-draining = wird geleert
drain-note-line = Leeren: { $moved } von { $whole } umgezogen

## Quittungen

receipt-done = { $what } ist auf { $node } umgezogen
receipt-called-off = { $what } ist nicht auf { $node } umgezogen
receipt-line = { $failed ->
    [0] { $waited } warteten, längstens { $longest }, keine schlug fehl
   *[other] { $waited } warteten, längstens { $longest }, { $failed } schlugen fehl
}
receipt-nobody = niemand wartete, nichts schlug fehl
receipts-title = Quittungen
receipts-none = Noch hat ihn nichts verlassen.
newest-first = neueste zuerst
column-what = Was
column-from = Von
column-to = Nach
column-ended = Beendet
column-waited = Gewartet
column-longest = Längstes Warten
column-failed = Fehler
column-data = Daten
column-verdict = Geeignet
column-score = Wertung
column-free = Frei
percent = { $value } %

## Eine Website umziehen, festlegen, halten

site-move = Umziehen…
site-move-title = Wo { $site } läuft
site-move-crumb = Umziehen
move-form-title = Umziehen
move-form-node = Auf
move-form-auto = Der geeignetste Knoten (der Cluster wählt)
move-form-hint = Alles wird vorausgeschickt, während Besucher bedient werden. Am Ende warten sie einen Augenblick; nichts schlägt fehl.
move-form-button = Umziehen
pin-title = Festlegen
pin-is = festgelegt auf { $node }
pin-none = nicht festgelegt
pin-node = Bleibt auf
pin-nowhere = keinem bestimmten Knoten
pin-hint = Sie wird nicht zum Lastausgleich umgezogen und kehrt nach einem Ausfall dorthin zurück.
pin-button = Speichern
hold-title = Halten
hold-until = gehalten bis
hold-none = nicht gehalten
hold-for = Bleibt, wo sie ist, für
hold-minutes = { $minutes ->
    [60] 1 Stunde
    [480] 8 Stunden
    [1440] 1 Tag
   *[other] 1 Woche
}
hold-let-go = nicht mehr halten
hold-hint = Bis dahin wird sie nicht zum Lastausgleich umgezogen. Ein geplanter Umzug wird abgesagt.
hold-button = Speichern

## Warum eine Website ist, wo sie ist

why-title = Warum sie ist, wo sie ist
why-database = Datenbank { $database }
why-stays = Sie bleibt: { $reason }.
why-candidates = Wohin sie könnte
why-chosen-from = Welche Knoten verglichen wurden
why-score-hint = Je niedriger die Wertung, desto besser.
why-untold = Kein Knoten bedient sie, und der gefragte Knoten weiß nichts davon.
why-untold-live = { $node } bedient sie, sagt aber noch nicht, warum. Fragen Sie gleich noch einmal.
holder-live = { $node } bedient sie.
holder-draining = { $node } übergibt sie.
holder-claiming = { $node } übernimmt sie gerade.
holder-replica = { $node } hält eine Kopie; niemand bedient sie gerade.
obstacle-pinned = sie ist auf ihren Knoten festgelegt
obstacle-held = sie wird dort eine Weile gehalten
obstacle-cool-down = sie ist vor Kurzem umgezogen
obstacle-budget = mehr Umzüge auf einmal sind nicht erlaubt
obstacle-no-target = kein anderer Knoten kann sie aufnehmen
obstacle-no-gain = ein Umzug würde keinen Knoten entlasten
obstacle-switched-off = der Lastausgleich ist ausgeschaltet
obstacle-not-busy = ihr Knoten ist nicht belastet
unfit-down = antwortet nicht
unfit-unwell = seine Dienste laufen nicht, wie sie sollten
unfit-draining = wird geleert
unfit-not-hosting = hostet nichts
unfit-full = zu wenig Platz
unfit-here = dort ist sie schon
unfit-busy = wäre zu belastet
unfit-same-zone = in seiner Zone ist schon eine Kopie
candidate-copy = ja, hat eine Kopie
candidate-fit = ja
decision-claim = { $node } begann, sie zu bedienen.
decision-move = Umzug auf { $node }: { $reason }.
decision-move-loads = Umzug auf { $node }: { $reason }. Last { $load } % hier, { $target } % dort mit ihr.
decision-stay = Sie sollte umziehen und bleibt: { $reason }.
decision-rehome = Kopien gehen auf { $nodes }: { $reason }.
rehome-node-lost = ein Knoten mit einer Kopie ist weg
rehome-drain = ein Knoten mit einer Kopie wird geleert
rehome-not-hosting = ein Knoten mit einer Kopie hostet nichts mehr
rehome-too-few = es waren zu wenige
rehome-too-many = es waren zu viele
rehome-one-zone = alle waren in einer Zone

## Einen Knoten leeren

node-drain = Leeren…
node-drain-watch = Beim Leeren zusehen
drain-crumb = Leeren
drain-form-title = { $node } leeren?
drain-title = { $node } wird geleert
drain-done-title = { $node } ist geleert
drain-means-move = { $sites ->
    [one] { $sites } Website
   *[other] { $sites } Websites
} und { $databases ->
    [one] { $databases } Datenbank
   *[other] { $databases } Datenbanken
} ziehen auf andere Knoten um, wenige auf einmal. Besucher warten einen Augenblick; nichts schlägt fehl.
drain-means-copies = { $copies ->
    [0] Er hält keine Kopien anderer.
    [one] Seine Kopie entsteht auf einem anderen Knoten.
   *[other] Seine { $copies } Kopien entstehen auf anderen Knoten.
}
drain-means-undo = Danach kann er ausgeschaltet werden. Er lässt sich jederzeit wieder in Betrieb nehmen.
drain-note = Wozu
drain-note-hint = Für die anderen: Kernel-Update, neue Platte. Darf leer bleiben.
drain-allow-fewer = Weniger Kopien zulassen
drain-allow-fewer-hint = Sonst wird abgelehnt, wenn zu wenige Knoten für alle Kopien bleiben.
drain-button = { $node } leeren
drain-is-done = Leer
drain-goes-on = Läuft
drain-began = begonnen
drain-by = von { $name }
drain-undo = Wieder in Betrieb nehmen
drain-stop = Beenden und wieder in Betrieb nehmen
drain-moved = Umgezogen
drain-waited = Anfragen, die warteten
drain-longest = längstens { $time }
drain-remaining = Fertig in etwa
drain-end-at = um
drain-left = Noch zu tun
drain-nothing-left = nichts
drain-waits-for-copies = wartet auf Kopien
drain-unknown-yet = noch unbekannt
drain-elsewhere = { $count } live anderswo
drain-moving = { $count } im Umzug
drain-still-here = { $count } noch hier
drain-steps = Schritte
drain-step-check = Prüfen, ob genug Kopien bleiben
drain-step-checked = Alle Websites und Datenbanken behalten die Kopien, die sie haben sollen
drain-step-checked-fewer = Weniger Kopien wurden zugelassen
drain-step-stop = Nichts Neues hierher
drain-step-move = Websites und Datenbanken umziehen
drain-step-copy = Kopien anderswo anlegen
drain-copies-left = { $count ->
    [one] noch { $count } Kopie, { $size }
   *[other] noch { $count } Kopien, { $size }
}
drain-step-ready = Bereit zur Wartung
drain-step-ready-text = { $node } kann ausgeschaltet werden
drain-copies = Kopien jetzt auf anderen Knoten
drain-copies-count = { $copies ->
    [0] { $datasets } ohne Kopie
    [one] { $datasets } mit { $copies } Kopie
   *[other] { $datasets } mit { $copies } Kopien
}
drain-copies-whole = Alle Kopien liegen vollständig auf anderen Knoten
drain-copies-lacking = { $count ->
    [one] { $count } Website oder Datenbank hat anderswo weniger Kopien, als sie sollte
   *[other] { $count } Websites oder Datenbanken haben anderswo weniger Kopien, als sie sollten
}
drain-copies-coming = { $count ->
    [one] { $count } Website oder Datenbank bekommt noch eine Kopie auf einem anderen Knoten
   *[other] { $count } Websites oder Datenbanken bekommen noch eine Kopie auf einem anderen Knoten
}
drain-copies-hint = Blieben zu wenige, wird das Leeren abgelehnt, außer es ist erlaubt.

## Wozu ein Knoten da ist

node-zone = Zone
node-switched-off = Ausgeschaltet
node-settings = Zone und Dienste
node-settings-title = Zone und Dienste von { $node }
zone-name = Name der Zone
zone-hint = Was zusammen ausfällt: ein Schrank, ein Gebäude, ein Anbieter. Kopien werden über Zonen verteilt.
services-title = Dienste
services-all-on = nichts
service-hosting = Hosting
service-hosting-hint = Hält Websites und Datenbanken und bedient sie.
service-front-doors = Eingänge
service-front-doors-hint = Antwortet Besuchern und zeigt dieses Panel.
service-voting = Stimmrecht
service-voting-hint = Bewahrt die Einstellungen mit den anderen Stimmberechtigten.
save = Speichern

## Was auf der Seite davor getan wurde

done-move-begun = Der Umzug hat begonnen.
done-move-called-off = Der Umzug ist abgebrochen.
done-site-pinned = Die Website ist festgelegt.
done-site-unpinned = Die Website ist nicht mehr festgelegt.
done-site-held = Die Website bleibt so lange, wo sie ist.
done-site-unheld = Die Website wird nicht mehr gehalten.
done-node-undrained = Der Knoten ist wieder in Betrieb. Was umgezogen ist, bleibt, wo es ist.
done-node-changed = Gespeichert.
done-nodes-lost = Die Knoten sind aufgegeben. Einstellungen lassen sich in wenigen Sekunden wieder ändern.
done-key-replaced = Der Schlüssel ist ersetzt.
