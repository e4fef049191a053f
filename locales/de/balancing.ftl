### Wie Last verteilt wird, für Administratoren.

balancing-title = Lastausgleich
balancing-is-on = An
balancing-is-off = Aus
balancing-on = Websites von selbst umziehen, um Last zu verteilen
balancing-on-hint = Ist dies aus, ziehen Websites nur um, wenn es jemand wünscht, ihr Knoten geleert wird oder sie anderswo festgelegt sind.

balancing-when = Wann eine Website umzieht
balancing-busy = Ein Knoten ist belastet über (Prozent)
balancing-busy-hint = Seiner Prozessoren. 10 bis 100.
balancing-patience = Und zwar seit (Sekunden)
balancing-patience-hint = Damit eine kurze Spitze nichts bewegt. 1 bis 3.600.
balancing-gap = Der andere Knoten bleibt darunter um (Prozentpunkte)
balancing-gap-hint = Mit der Website gerechnet, damit nicht er der belastete wird. Mindestens 1, weniger als der Anteil oben.

balancing-budget = Wie viele auf einmal
balancing-per-minute = Umzüge je Minute im ganzen Cluster
balancing-per-minute-hint = Das Leeren von Knoten zählt mit. 1 bis 600.
balancing-at-once = Umzüge auf einmal von einem Knoten
balancing-at-once-hint = Mehr leeren einen Knoten schneller und belasten ihn solange stärker. 1 bis 16.

balancing-rest = Ankündigung und Ruhe
balancing-veto = Angekündigt vor dem Beginn (Sekunden)
balancing-veto-hint = In dieser Zeit können Sie die Website auf der Seite der Umzüge halten. 0 bis 3.600.
balancing-cool-down = Bleibt nach einem Umzug, wo sie ist (Sekunden)
balancing-cool-down-hint = Damit nichts hin und her zieht. 10 bis 86.400.

balancing-words = Was das bedeutet
balancing-words-when = Ein Knoten, der { $patience } lang mehr als { $busy } % seiner Prozessoren braucht, gibt eine Website ab.
balancing-words-where = Sie geht auf einen Knoten, der mit ihr bei höchstens { $most } % bleibt. Gibt es keinen, bleibt sie.
balancing-words-rest = Der Umzug wird { $veto } vorher angekündigt. Danach ruht die Website { $rest }.
balancing-words-budget = Höchstens { $minute } Umzüge je Minute im ganzen Cluster, { $once } auf einmal von einem Knoten. Auch das Leeren hält sich daran.
balancing-words-off = Nichts zieht von selbst um, um Last zu verteilen.
