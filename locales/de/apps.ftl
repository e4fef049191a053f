### Anwendungen und ihre Installation.

apps-title = Anwendungen
apps-none = Der Katalog ist leer
apps-none-text = Der Administrator dieses Clusters hat noch keine Anwendung hinzugefügt.
app-name-wordpress = WordPress
app-summary-wordpress = Das meistbenutzte System für Websites und Blogs, mit Tausenden von Designs und Erweiterungen.
app-facts = Version { $version } · { $size }
app-install = { $app } installieren
app-installed = Version { $version }, hier installiert
app-open-admin = wp-admin öffnen
app-homepage = Mehr darüber
app-unavailable = Ihr Archiv ist noch nicht auf diesem Cluster

## Das Formular

install-title = { $app } installieren
install-site-title = Titel der Website
install-admin-login = Name des Administrators
install-admin-login-hint = Nehmen Sie nicht „admin“: Diesen Namen probieren Bots zuerst.
install-admin-email = E-Mail des Administrators
install-admin-password = Passwort des Administrators
install-admin-password-hint = Mindestens 10 Zeichen. Sie brauchen es, um sich in der Anwendung anzumelden; wir bewahren es nicht auf.
install-language = Sprache
install-takes = Dauert etwa eine halbe Minute
install-replace = Ersetzen, was da ist
install-replace-means = Zuerst werden alle Dateien der Website entfernt, auch eine frühere Installation.
install-makes = Was angelegt wird
install-makes-files = { $app } { $version } im Ordner der Website, aus einem Archiv von { $size }
install-makes-database = Eine Datenbank mit ihrem Benutzer
install-makes-copies = Kopien von beidem auf anderen Knoten
install-address = https://{ $domain }/

## Währenddessen und danach

job-move-running = { $site } zieht um
job-move-done = { $site } ist umgezogen
job-move-failed = { $site } konnte nicht umziehen
job-install-running = { $app } wird auf { $site } installiert
job-install-done = { $app } { $version } wurde auf { $site } installiert
job-install-failed = { $app } konnte auf { $site } nicht installiert werden
job-title-running = { $app } wird installiert
job-title-done = { $app } ist bereit
job-title-failed = { $app } konnte nicht installiert werden
job-begins = Gleich geht es los
job-step-of = Schritt { $step } von { $steps }
job-so-far = bisher { $time }
job-took = Dauerte { $time }
job-watch = Zusehen
job-leave = Sie können diese Seite verlassen. Es geht weiter, und „Aktivität“ sagt, wenn es fertig ist.
job-log = Protokoll, live
job-log-kept = Protokoll
job-how-it-went = Wie es lief
job-to-site = Zur Website
job-answers = { $site } antwortet, { $time } nach dem Klick.
ready-app = Anwendung
ready-address = Adresse
ready-sign-in = Anmelden
ready-sign-in-text = mit dem Namen und dem Passwort, die Sie gewählt haben
ready-checked = Die Startseite wurde geöffnet und antwortet

## Die Schritte einer Installation

job-step-check = Website ansehen
job-step-fetch = Archiv holen
job-step-unpack = Prüfen und auspacken
job-step-database = Datenbank anlegen
job-step-configure = Konfiguration schreiben
job-step-install = { $app } einrichten
job-step-verify = Website öffnen und nachsehen
