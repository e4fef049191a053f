### Das Netz zwischen den Knoten, für Administratoren.

network-title = Netz und Schlüssel
network-kind = Zwischen den Knoten
network-lan = Ein lokales Netz
network-lan-hint = Ein Standort oder eine Stadt, Millisekunden entfernt. Ein toter Knoten fällt nach rund zwei Sekunden auf.
network-wan = Ein weites Netz
network-wan-hint = Weit entfernte Standorte, Leitungen, die für Sekunden stehen. Ein toter Knoten fällt später auf, damit keine langsame Leitung für einen gehalten wird.
network-restart-hint = Ein Knoten folgt beim nächsten Start von hwcd.
network-in-force = Auf den Knoten in Kraft
network-needs-restart = hwcd neu starten, um zu folgen
network-unheard = noch nicht gehört

key-title = Schlüssel zwischen den Knoten
key-everywhere = Jeder Knoten hat den neuesten Schlüssel, Nummer { $number }.
key-not-everywhere = Noch hat nicht jeder Knoten den neuesten Schlüssel, Nummer { $number }.
key-old-ends = Der vorige endet in { $time }.
key-other = { $node } bekommt ihn gerade.
key-unheard = { $node } antwortet nicht. Er bekommt ihn, wenn er zurückkehrt.
key-replace = Schlüssel ersetzen
key-replace-hint = Nichts wird unterbrochen: Eine Weile gelten beide.

refused-title = Abgelehnt
refused-none = nichts
refused-datagrams = Datagramme
refused-connections = Verbindungen
refused-boards = Aushänge
refused-requests = Anfragen
refused-hint = Gezählt, seit auf dem Knoten hwcd startete. Nichts wurde dadurch geändert. Viele von einer Art im Netz sind einen Blick ins Protokoll wert.
