### How load is spread, for administrators.

balancing-title = Spreading load
balancing-is-on = On
balancing-is-off = Off
balancing-on = Move sites by themselves to spread load
balancing-on-hint = Switched off, sites move only when somebody asks, drains their node, or has pinned them elsewhere.

balancing-when = When a site moves
balancing-busy = A node is busy above (percent)
balancing-busy-hint = Of its processors. 10 to 100.
balancing-patience = And has been for (seconds)
balancing-patience-hint = So that a short peak moves nothing. 1 to 3,600.
balancing-gap = The other node stays below by (percent points)
balancing-gap-hint = Counted with the site on it, so that it does not become the busy one. At least 1, less than the share above.

balancing-budget = How many at once
balancing-per-minute = Moves a minute, in the whole cluster
balancing-per-minute-hint = Drains count as well. 1 to 600.
balancing-at-once = Moves at once, from one node
balancing-at-once-hint = More empty a node sooner and load it more meanwhile. 1 to 16.

balancing-rest = Notice and rest
balancing-veto = Announced before it begins (seconds)
balancing-veto-hint = During this time you can hold the site on the page of moves. 0 to 3,600.
balancing-cool-down = Stays where it is after a move (seconds)
balancing-cool-down-hint = So that nothing goes back and forth. 10 to 86,400.

balancing-words = What this comes to
balancing-words-when = A node that uses more than { $busy } % of its processors for { $patience } gives a site away.
balancing-words-where = It goes to a node that stays at { $most } % or less with it. Where there is none, it stays.
balancing-words-rest = The move is announced { $veto } before. Afterwards the site rests for { $rest }.
balancing-words-budget = At most { $minute } moves a minute in the whole cluster, { $once } at once from one node. Drains keep to it as well.
balancing-words-off = Nothing moves by itself to spread load.
