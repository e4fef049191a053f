### Konten, für Administratoren.

accounts-title = Konten
account-new = Neuer Kunde
account-active = Aktiv
account-suspended = Gesperrt
account-unlimited = unbegrenzt
column-account = Konto
column-login = Benutzername
column-created = Angelegt
column-actions = Aktionen

account-create-title = Neuer Kunde
account-name = Name
account-email = E-Mail
account-login = Benutzername
account-login-hint = Was der Kunde beim Anmelden tippt: Buchstaben, Ziffern und Bindestriche.
account-password = Erstes Passwort
account-password-hint = Mindestens 10 Zeichen. Teilen Sie es dem Kunden selbst mit; es wird nirgendwohin geschickt.
account-sites = Höchstzahl der Websites
account-databases = Höchstzahl der Datenbanken
account-create-button = Kunden anlegen

account-delete = Löschen …
account-delete-label = { $name } löschen …
account-delete-title = { $name } löschen?
account-delete-sign-in = Niemand kann sich mehr damit anmelden, und seine API-Schlüssel sind sofort ungültig.
account-delete-owns-nothing = Es hat keine Websites und keine Datenbanken; sonst wird also nichts gelöscht.
account-delete-button = { $name } löschen
