### The shell around every page: what it is called, how numbers and moments are written.

language-name = English
language-direction = ltr

product-name = Hybrid Web Cluster

## Numbers and units. A space stands between number and unit.

number-group = ,
number-decimal = .
unit-bytes = { $value } B
unit-kilobytes = { $value } kB
unit-megabytes = { $value } MB
unit-gigabytes = { $value } GB
unit-terabytes = { $value } TB
unit-seconds = { $value } s
unit-minutes = { $value } min
unit-hours = { $value } h
unit-days = { $value } d
age-ago = { $age } ago
of-all = of { $count }
cores = { $cores ->
    [one] { $cores } core
   *[other] { $cores } cores
}

## Moments

moment-utc = { $date }, { $time } UTC
moment-day = { $date }, { $time }
moment-clock-utc = { $time } UTC
moment-today = today { $time }
moment-date = { $day } { $month }
month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec

## Navigation

skip-to-content = Skip to content
open-menu = Open menu
nav-main = Main
nav-crumbs = You are here
nav-my-sites = My sites
nav-all-sites = All sites
nav-site = Site
nav-overview = Overview
nav-apps = Apps
nav-nodes = Nodes
nav-sites = Sites
nav-accounts = Accounts
nav-data = Data
nav-care = Care
to-first-page = To the first page

## Who is signed in

who-menu = language, theme, sign out
role-administrator = Administrator
role-customer = Customer
sign-out = Sign out
language-label = Language
theme-label = Theme
theme-system = System
theme-light = Light
theme-dark = Dark

## States of the page

settings-all-live = All changes are live
settings-applied-on = Settings on { $applied } of { $nodes } nodes
settings-read-only = Settings are read-only: most of the nodes that keep them can’t be reached. Sites and failover go on; changes have to wait.
settings-read-only-short = Settings are read-only
connection-broken = Reconnecting. What you see may be some seconds old.
updating-live = Updating live
waiting = Loading
nowhere = nowhere

## Words on buttons

cancel = Cancel
close = Close
copy = Copy
copied = Copied
keep-it = Keep it
try-again = Try again
opens-new-tab = (opens in a new tab)
password-show = Show the password
password-generate = Generate
view-label = View
view-cards = Cards
view-map = Map
view-table = Table

## Activity

activity = Activity
activity-open = { $running ->
    [0] Activity
    [one] Activity, { $running } running
   *[other] Activity, { $running } running
}
activity-none = Nothing runs, and nothing ran lately.
feed-title = What happened
feed-site-created = { $site } was created

## What was done on the page before

done-site-created = The site is made. It becomes live within seconds.
done-site-deleted = The site is deleted.
done-account-created = The customer can sign in now.
done-account-deleted = The account is deleted.

## Instead of a page

not-found-title = Not found
not-found-fact = There is nothing at this address
not-found-text = It may have been deleted, or it belongs to another account.
forbidden-title = For administrators
forbidden-fact = Your account may not see this page
forbidden-text = It is about the cluster as a whole. An administrator can show you or do it for you.
unreachable-title = The panel can’t reach the cluster
unreachable-sites-go-on = The sites are served by another program and are not affected. Another node’s panel may answer.
refusal-unreachable = Nobody answered. Nothing was changed as far as we know. Try again in a few seconds.

## Ctrl K

find-open = Search or go to
find-placeholder = Search or go to…
find-none = Nothing of that name.
find-do = Do
find-go = Go to
find-install = Install an app on { $site }
find-move = Move { $site }
find-drain = Drain { $node }
find-undrain = Put { $node } back to use
find-node-settings = Zone and services of { $node }
