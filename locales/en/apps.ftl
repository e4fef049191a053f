### Applications and their installation.

apps-title = Apps
apps-none = The catalogue is empty
apps-none-text = The administrator of this cluster has not added any application.
app-name-wordpress = WordPress
app-summary-wordpress = The most used system for web sites and blogs, with thousands of themes and plugins.
app-facts = Version { $version } · { $size }
app-install = Install { $app }
app-installed = Version { $version }, installed here
app-open-admin = Open wp-admin
app-homepage = About it
app-unavailable = Its archive is not on this cluster yet

## The form

install-title = Install { $app }
install-site-title = Site title
install-admin-login = Administrator name
install-admin-login-hint = Don’t use “admin”: it is the first name that bots try.
install-admin-email = Administrator email
install-admin-password = Administrator password
install-admin-password-hint = At least 10 characters. You need it to sign in to the app; we don’t keep it.
install-language = Language
install-takes = Takes about half a minute
install-replace = Replace what is there
install-replace-means = All files of the site are removed first, and an earlier installation with them.
install-makes = What will be made
install-makes-files = { $app } { $version } in the site’s folder, from an archive of { $size }
install-makes-database = A database with its user
install-makes-copies = Copies of both on other nodes
install-address = https://{ $domain }/

## While it runs, and afterwards

job-move-running = Moving { $site }
job-move-done = { $site } was moved
job-move-failed = { $site } could not be moved
job-install-running = Installing { $app } on { $site }
job-install-done = { $app } { $version } was installed on { $site }
job-install-failed = { $app } could not be installed on { $site }
job-title-running = Installing { $app }
job-title-done = { $app } is ready
job-title-failed = { $app } could not be installed
job-begins = About to begin
job-step-of = Step { $step } of { $steps }
job-so-far = { $time } so far
job-took = Took { $time }
job-watch = Watch
job-leave = You can leave this page. It goes on, and Activity tells you when it is done.
job-log = Live log
job-log-kept = Log
job-how-it-went = How it went
job-to-site = To the site
job-answers = { $site } answers, { $time } after the click.
ready-app = App
ready-address = Address
ready-sign-in = Sign in
ready-sign-in-text = with the name and password that you chose
ready-checked = The front page was opened and answers

## The steps of an installation

job-step-check = Look at the site
job-step-fetch = Fetch the archive
job-step-unpack = Check and unpack it
job-step-database = Make the database
job-step-configure = Write the configuration
job-step-install = Set up { $app }
job-step-verify = Open the site and look
