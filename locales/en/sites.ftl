### Sites: the list, a new one, one of them.

sites-my-title = My sites
sites-all-title = Sites
sites-none = No site yet
sites-none-text = A site is a domain with its files, databases and certificate. It takes a few seconds to make.
site-new = New site

## States

state-live = Live
state-starting = Starting
state-moving = Moving
state-down = Not answering

live-on = Live on { $node }
starting-on = Starting on { $node }
live-nowhere = Live nowhere
copy-on = Copy on { $node }
copy-word = Copy
copy-current = up to date
copy-incomplete = being made
copy-unreachable = out of reach
copy-unknown-age = age unknown

## How well a site is protected. Copies are those on other nodes.

protection-current = { $copies ->
    [one] Protected: { $copies } copy, up to date
   *[other] Protected: { $copies } copies, up to date
}
protection-age = { $copies ->
    [one] Protected: { $copies } copy, newest { $age }
   *[other] Protected: { $copies } copies, newest { $age }
}
protection-unknown-age = { $copies ->
    [one] Protected: { $copies } copy
   *[other] Protected: { $copies } copies
}
protection-partial = { $current } of { $copies } copies current
protection-begun = The first copy is being made
protection-none = No copy on another node

## Numbers

numbers-sites = Sites
numbers-databases = { $used } of { $limit } databases
numbers-databases-word = Databases
numbers-live = Live
numbers-protected = Protected
numbers-used = Space in use
size-files = Files
size-database = Database
php-version = PHP { $version }

## Columns

column-site = Site
column-state = State
column-owner = Owner
column-live-on = Live on
column-protection = Protection
column-size = Size

## A new site

site-create-title = New site
site-create-domain = Domain
site-create-domain-hint = The domain may still point elsewhere; the site answers as soon as it points here.
site-create-punycode = In DNS this is
site-create-owner = For
site-create-owner-me = My own account
site-create-button = Create site
site-create-takes = Takes a few seconds
site-create-makes = What will be made
site-create-makes-files = A folder for its files, with PHP
site-create-makes-copy = Copies on other nodes, at most seconds old
site-create-makes-certificate = HTTPS, on from the start
site-create-makes-apps = Room for an app such as WordPress

## A site's page

site-open = Open site
site-delete = Delete…
site-empty = The site is empty
site-empty-text = Install WordPress with one click: files, database and certificate are set up for you.
site-empty-wordpress = Install WordPress
site-empty-other = Other apps
where-title = Where your site is
where-updates-live = updates live
where-visitors = Visitors
where-any-node = any node answers
where-live = Live on { $node }.
where-nowhere = Live on no node.
where-copy = Copy on { $node }, { $age }.
where-answers = Answers visitors
where-moving = Moving, visitors wait
where-requests-wait = Visitors wait
where-no-node = No node in reach
what-if-nothing = If { $node } fails, a copy takes over within seconds. Right now no change would be lost.
what-if-age = If { $node } fails, a copy takes over within seconds. At most the last { $age } of changes are at risk.
what-if-takeover = If { $node } fails, a copy takes over within seconds.
what-if-unprotected = If { $node } fails now, the site waits for it: there is no whole copy yet.
what-if-down = Visitors wait up to 15 s, then see a note to come back. The site answers by itself as soon as a node that holds it is back.
what-if-kept = { $count ->
    [one] An older version that lost a comparison is kept.
   *[other] { $count } older versions that lost a comparison are kept.
}
domains-title = Domains
domain-main = Main domain
domain-other = Also answers
domain-open = Open { $domain } in a new tab
databases-title = Databases
database-facts = { $size } · live on { $node }
runs-on-title = Runs on
runs-php = PHP
runs-app = App
runs-database-host = Database host
runs-database-user = Database user
app-none = none yet

## Deleting a site

site-delete-title = Delete { $site }?
site-delete-crumb = Delete
site-delete-visitors = { $domains ->
    [one] Visitors see “not found” at once.
   *[other] Visitors see “not found” at once, on { $domains } domains.
}
site-delete-databases = { $databases ->
    [0] It has no database.
    [one] Its database is deleted with it.
   *[other] Its { $databases } databases are deleted with it.
}
site-delete-copies = The copies on other nodes are removed as well.
site-delete-confirm = To confirm, type
site-delete-mismatch = That is not its domain. Nothing was deleted.
site-delete-button = Delete { $site }
