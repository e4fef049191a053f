### Moves of sites, drains of nodes, and why things are where they are.

## A move under way

move-to = Moving to { $node }
move-of = Move of { $what }
move-phase-planned = planned
move-phase-copying = sending ahead
move-phase-closing = running requests finish
move-phase-finishing = last data on its way
move-phase-promoting = the other node takes over
move-reason-asked = an administrator asked for it
move-reason-asked-by = { $name } asked for it
move-reason-asked-root = root asked for it, on a node
move-reason-drain = its node is being drained
move-reason-balance = its node was busier than another
move-reason-reunite = the rest of its site is there
move-reason-pin = it returns to the node that it is pinned to
move-visitors-wait = Visitors wait
move-not-before = Not before
move-data = { $sent } sent, { $left } to go
move-left = about { $time } left
move-call-off = Call off
move-call-off-hint = The site stays where it is. Nothing is lost.

## Moves of the whole cluster

moves-title = Moves
moves-way = from { $from } to { $to }
moves-hold = Hold
moves-hold-label = Hold { $site } where it is for a day
moves-none = Nothing moves, and nothing is planned to.
moves-none-yet = Nothing has moved yet. Every move leaves its receipt here.
legend-move = move
node-draining = draining
drain-note-line = Drain: { $moved } of { $whole } moved

## Receipts

receipt-done = { $what } moved to { $node }
receipt-called-off = { $what } did not move to { $node }
receipt-line = { $failed ->
    [0] { $waited } waited, longest { $longest }, none failed
   *[other] { $waited } waited, longest { $longest }, { $failed } failed
}
receipt-nobody = nobody waited, nothing failed
receipts-title = Receipts
receipts-none = Nothing has left it yet.
newest-first = newest first
column-what = What
column-from = From
column-to = To
column-ended = Ended
column-waited = Waited
column-longest = Longest wait
column-failed = Failed
column-data = Data
column-verdict = Fit for it
column-score = Score
column-free = Free
percent = { $value } %

## Moving, pinning, holding a site

site-move = Move…
site-move-title = Where { $site } runs
site-move-crumb = Move
move-form-title = Move it
move-form-node = To
move-form-auto = The fittest node (the cluster chooses)
move-form-hint = Everything is sent ahead while visitors are served. At the end they wait for a moment; nothing fails.
move-form-button = Move
pin-title = Pin
pin-is = pinned to { $node }
pin-none = not pinned
pin-node = Keep it on
pin-nowhere = no particular node
pin-hint = It is not moved away to spread load, and returns there after a failover.
pin-button = Save
hold-title = Hold
hold-until = held until
hold-none = not held
hold-for = Keep it where it is for
hold-minutes = { $minutes ->
    [60] 1 hour
    [480] 8 hours
    [1440] 1 day
   *[other] 1 week
}
hold-let-go = let it go
hold-hint = It is not moved to spread load until then. A planned move is called off.
hold-button = Save

## Why a site is where it is

why-title = Why it is where it is
why-database = Database { $database }
why-stays = It stays: { $reason }.
why-candidates = Where it could go
why-chosen-from = The nodes that were weighed
why-score-hint = The lower the score, the better.
why-untold = No node serves it, and the node that was asked knows nothing of it.
why-untold-live = { $node } serves it but does not say why yet. Ask again in a moment.
holder-live = { $node } serves it.
holder-draining = { $node } hands it over.
holder-claiming = { $node } is taking it over.
holder-replica = { $node } holds a copy; nobody serves it just now.
obstacle-pinned = it is pinned to its node
obstacle-held = it is held there for a while
obstacle-cool-down = it moved not long ago
obstacle-budget = as many moves as allowed are under way
obstacle-no-target = no other node is fit to take it
obstacle-no-gain = moving it would make no node less busy
obstacle-switched-off = spreading load is switched off
obstacle-not-busy = its node is not busy
unfit-down = does not answer
unfit-unwell = its services don’t run as they should
unfit-draining = is being drained
unfit-not-hosting = hosts nothing
unfit-full = not enough room
unfit-here = it is there already
unfit-busy = would be too busy
unfit-same-zone = a copy is in its zone already
candidate-copy = yes, has a copy
candidate-fit = yes
decision-claim = { $node } began to serve it.
decision-move = Moved to { $node }: { $reason }.
decision-move-loads = Moved to { $node }: { $reason }. Load { $load } % here, { $target } % there with it.
decision-stay = It should move but stays: { $reason }.
decision-rehome = Copies go to { $nodes }: { $reason }.
rehome-node-lost = a node that held one is gone
rehome-drain = a node that held one is being drained
rehome-not-hosting = a node that held one hosts nothing any more
rehome-too-few = there were too few
rehome-too-many = there were too many
rehome-one-zone = all were in one zone

## Draining a node

node-drain = Drain…
node-drain-watch = Watch the drain
drain-crumb = Drain
drain-form-title = Drain { $node }?
drain-title = Draining { $node }
drain-done-title = { $node } is drained
drain-means-move = { $sites ->
    [one] Its { $sites } live site
   *[other] Its { $sites } live sites
} and { $databases ->
    [one] { $databases } database
   *[other] { $databases } databases
} move to other nodes, a few at a time. Visitors wait for a moment; nothing fails.
drain-means-copies = { $copies ->
    [0] It holds no copies of others.
    [one] Its copy is made on another node.
   *[other] Its { $copies } copies are made on other nodes.
}
drain-means-undo = Then it can be switched off. You can put it back to use at any time.
drain-note = What for
drain-note-hint = For the others: a kernel update, a new disk. May stay empty.
drain-allow-fewer = Allow fewer copies
drain-allow-fewer-hint = Otherwise it is refused where too few nodes are left to hold every copy.
drain-button = Drain { $node }
drain-is-done = Empty
drain-goes-on = Under way
drain-began = began
drain-by = by { $name }
drain-undo = Put back to use
drain-stop = Stop and put back to use
drain-moved = Moved
drain-waited = Requests that waited
drain-longest = longest { $time }
drain-remaining = Done in about
drain-end-at = at
drain-left = Left to do
drain-nothing-left = nothing
drain-waits-for-copies = waits for copies
drain-unknown-yet = not known yet
drain-elsewhere = { $count } live elsewhere
drain-moving = { $count } moving
drain-still-here = { $count } still here
drain-steps = Steps
drain-step-check = Check that enough copies remain
drain-step-checked = All sites and databases keep the copies they should have
drain-step-checked-fewer = Fewer copies were allowed
drain-step-stop = Place nothing new here
drain-step-move = Move live sites and databases
drain-step-copy = Make copies elsewhere
drain-copies-left = { $count ->
    [one] { $count } copy to go, { $size }
   *[other] { $count } copies to go, { $size }
}
drain-step-ready = Ready for maintenance
drain-step-ready-text = { $node } can be switched off
drain-copies = Copies now on other nodes
drain-copies-count = { $copies ->
    [0] { $datasets } with no copy
    [one] { $datasets } with { $copies } copy
   *[other] { $datasets } with { $copies } copies
}
drain-copies-whole = All copies are whole on other nodes
drain-copies-lacking = { $count ->
    [one] { $count } site or database has fewer copies on other nodes than it should
   *[other] { $count } sites or databases have fewer copies on other nodes than they should
}
drain-copies-coming = { $count ->
    [one] { $count } site or database still gets a copy on another node
   *[other] { $count } sites or databases still get a copy on another node
}
drain-copies-hint = A drain that would leave too few is refused unless you allow it.

## What a node is for

node-zone = Zone
node-switched-off = Switched off
node-settings = Zone and services
node-settings-title = Zone and services of { $node }
zone-name = Name of the zone
zone-hint = What fails together: a rack, a building, a provider. Copies are spread over zones.
services-title = Services
services-all-on = nothing
service-hosting = Hosting
service-hosting-hint = Holds sites and databases and serves them.
service-front-doors = Front doors
service-front-doors-hint = Answers visitors, and shows this panel.
service-voting = Voting
service-voting-hint = Keeps the settings together with the other voters.
save = Save

## What was done on the page before

done-move-begun = The move has begun.
done-move-called-off = The move is called off.
done-site-pinned = The site is pinned.
done-site-unpinned = The site is not pinned any more.
done-site-held = The site stays where it is for that long.
done-site-unheld = The site is not held any more.
done-node-undrained = The node is back in use. What moved away stays where it is.
done-node-changed = Saved.
done-nodes-lost = The nodes are given up. Settings can be changed again within seconds.
done-key-replaced = The key is replaced.
