### Who keeps the settings, and nodes that are lost, for administrators.

voters-title = Voters
voters-writable = Settings can be changed
voters-on-edge = Settings can be changed, but no more voter may fail
voters-read-only = Settings are read-only
voters-counts = Voters that answer: { $answering } of { $voters }; needed: { $needed }.
voters-may-fail = { $count ->
    [0] If one more fails, settings become read-only. Sites and failover go on.
    [one] { $count } more may fail.
   *[other] { $count } more may fail.
}
voters-no-majority = Sites and failover go on. Start the missing nodes; if they are gone for good, give them up.
voters-no-leader = They are agreeing on who orders the changes. That takes seconds.
standing-lost-settings = The node behind this page has lost settings that it had acknowledged. Remove it from the cluster and let it join again.
standing-outdated = The settings hold what the node behind this page is too old to understand. Update it.
voters-nodes = Nodes
voters-change = newest change { $index }
column-part = Its part
column-change = Follows change
part-leader = Votes, and orders the changes
part-leader-witness = Witness: votes only, and orders the changes
part-voter = Votes
part-witness = Witness: votes only
part-learner = Follows
part-none = –
voters-how = How settings are kept
voters-how-majority = Voters keep the settings together: a change counts once more than half of them have it on disk. The cluster chooses up to seven.
voters-how-learners = All other nodes follow. One takes the place of a voter that fails.
voters-how-witness = A witness holds no sites and only votes: a small third server makes two nodes safe. Switch hosting off on a node to make it one.
voters-how-sites = Sites and failover never wait for the settings.

## Nodes that are lost

lost-title = Give up lost nodes
lost-begin = Give up lost nodes…
lost-begin-hint = Only when they never come back.
lost-none = Every node answers
lost-none-text = Only nodes that are gone for good can be given up.
lost-back = Back to the voters
lost-when = Give up nodes only when they are gone for good: burnt, stolen, wiped. A node that is merely switched off comes back with everything it has.
lost-which = Nodes that are gone
lost-preview = Show what it means…
lost-keep = Keep waiting for them
lost-other = Choose others
lost-means-nodes = Given up: { $nodes }. They can never return with what they hold; a server of that name has to join anew.
lost-means-voters = These go on and keep the settings: { $nodes }.
lost-means-settings = The settings stand at change { $index }. Changes that only the lost nodes knew are gone.
lost-no-site = Every site has a copy on a node that remains. None is lost.
lost-sites = { $count ->
    [one] { $count } site has no copy elsewhere and is lost
   *[other] { $count } sites have no copy elsewhere and are lost
}
lost-sites-more = and { $count } more
lost-confirm = Type the names to confirm:
lost-mismatch = These are not the names.
lost-button = Give up { $nodes }
