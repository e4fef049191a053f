### Accounts, for administrators.

accounts-title = Accounts
account-new = New customer
account-active = Active
account-suspended = Suspended
account-unlimited = unlimited
column-account = Account
column-login = User name
column-created = Created
column-actions = Actions

account-create-title = New customer
account-name = Name
account-email = Email
account-login = User name
account-login-hint = What the customer types to sign in: letters, digits and hyphens.
account-password = First password
account-password-hint = At least 10 characters. Tell it to the customer yourself; it is not sent anywhere.
account-sites = Most sites
account-databases = Most databases
account-create-button = Create customer

account-delete = Delete…
account-delete-label = Delete { $name }…
account-delete-title = Delete { $name }?
account-delete-sign-in = Nobody can sign in with it any more, and its API tokens are void at once.
account-delete-owns-nothing = It owns no sites and no databases, so nothing else is deleted.
account-delete-button = Delete { $name }
