### Anmelden.

sign-in-title = Anmelden
sign-in-heading = Beim Hybrid Web Cluster anmelden
sign-in-login = Benutzername
sign-in-password = Passwort
sign-in-stay = Auf diesem Gerät angemeldet bleiben
sign-in-button = Anmelden
sign-in-expired = Ihre Sitzung ist abgelaufen. Melden Sie sich an, um dort weiterzumachen, wo Sie waren.
