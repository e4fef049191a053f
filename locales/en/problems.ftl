### What went wrong and what to do, one message for each code of the API. $detail is the value that
### the API names with it; $has_detail is "no" where it names none.

problem-malformed = The request could not be read. Load the page again and repeat it.
problem-invalid = This value can’t be used here.
problem-sign-in-required = Nobody is signed in. Sign in to go on.
problem-session-expired = Your session is over. Sign in again to go on.
problem-wrong-password = User name and password don’t belong together.
problem-too-many-attempts = { $has_detail ->
    [no] Too many wrong passwords. Wait a while before you try again.
   *[yes] Too many wrong passwords. Wait { $detail } s before you try again.
}
problem-forbidden = Your account may not do this. An administrator can.
problem-foreign-origin = The request came from another web site and was refused. Nothing was changed.
problem-not-found = It does not exist any more, or it belongs to another account.
problem-domain-taken = { $detail } belongs to a site already. Choose another domain, or delete that site first.
problem-domain-invalid = This is no domain. It should look like shop.example.
problem-login-taken = This user name belongs to somebody already. Choose another one.
problem-password-weak = { $has_detail ->
    [no] This password is too easy to guess. Take a longer one.
   *[yes] This password is too easy to guess. Take at least { $detail } characters.
}
problem-site-limit = Your account has as many sites as it may: { $detail }. Delete one, or ask for a higher limit.
problem-database-limit = Your account has as many databases as it may: { $detail }. Delete one, or ask for a higher limit.
problem-database-taken = A database or user of this name exists already. Choose another name.
problem-no-node = No node can take it just now: too few answer, or their disks are full. Try again later.
problem-unknown-node = There is no node of this name.
problem-node-down = That node does not answer. Choose another, or wait until it is back.
problem-node-draining = That node is being drained. Put it back to use first, or choose another.
problem-node-not-draining = That node is not being drained.
problem-node-full = That node has not enough free space for it. Choose another.
problem-node-not-hosting = That node hosts nothing. Choose another.
problem-node-alive = { $has_detail ->
    [yes] { $detail } still answers. Only nodes that are gone can be given up.
   *[no] That node still answers. Only nodes that are gone can be given up.
}
problem-already-there = The site is live on that node already.
problem-move-called-off = { $detail ->
    [vetoed] The move was called off. The site is where it was.
    [needless] The move was not needed any more. The site is where it was.
    [target-unfit] The other node can’t take the site any more. It is where it was.
    [target-lost] The other node does not answer any more. The site is where it was.
    [too-long] The move took longer than visitors are to wait. The site is where it was.
    [no-copy] The other node could not be given a copy. The site is where it was.
    [unit-stays] Another part of the site stays, so this one does too.
    [not-live] It went live elsewhere, or was deleted.
    [stood-still] The node stood still for a moment. The site is where it was.
    [not-taken] The other node did not take the site. It is where it was.
    [restarted] The node was restarted. Ask for the move again.
   *[other] The move was called off. The site is where it was.
}
problem-too-few-copies = { $has_detail ->
    [yes] Sites and databases that would be left with too few copies: { $detail }. Add a node first, or allow fewer copies.
   *[no] That would leave too few copies. Add a node first, or allow fewer copies.
}
problem-last-node = This is the last node that hosts sites. Add another first.
problem-node-taken = The node’s name or address belongs to another node of the cluster.
problem-token-wrong = This join token is unknown. Make a new one.
problem-token-used = This join token was used already: each is good for one node. Make a new one.
problem-token-expired = This join token is out of date. Make a new one.
problem-other-cluster = The node belongs to another cluster.
problem-already-member = The node belongs to a cluster already.
problem-not-member = This node belongs to no cluster yet.
problem-unknown-app = There is no such app in the catalogue.
problem-site-not-empty = There are files in this site already. Agree below that they are replaced, or choose another site.
problem-archive-checksum = The app’s archive is not what the catalogue expects, so it was not used. Tell the administrator.
problem-archive-unavailable = The app’s archive could not be fetched. Try again; if it stays so, tell the administrator.
problem-install-failed = { $has_detail ->
    [no] The installation failed. The log says why; you can begin it again.
   *[yes] The installation failed at “{ $detail }”. The log says why; you can begin it again.
}
problem-job-interrupted = The node that did the work failed. Begin it again; what was half-made is replaced.
problem-site-busy = Something is under way on this site. Wait until it is done.
problem-site-not-live = The site is served by no node just now. It comes back by itself; try again then.
problem-disk-full = The disk of the node is full. Nothing was changed. Tell the administrator.
problem-settings-read-only = Settings are read-only: most of the nodes that keep them can’t be reached. Sites go on; try again when the nodes are back.
problem-configuration-refused = { $has_detail ->
    [no] A service refused the new configuration, so the old one stays.
   *[yes] A service refused the new configuration, so the old one stays: { $detail }
}
problem-too-large = This is larger than allowed.
problem-conflict = Somebody changed it in between. Load the page again and repeat your change.
problem-internal = { $has_detail ->
    [no] Something broke inside. Try again; if it stays so, tell the administrator.
   *[yes] Something broke inside. Try again; if it stays so, tell the administrator the number { $detail }.
}

## Which rule a name breaks that was typed

rule-empty = This can’t be empty.
rule-too-long = At most { $limit } characters fit here.
rule-space = A space or line break can’t stand here.
rule-character = { $character } can’t stand here.
rule-domain = This is no domain. It should look like shop.example.
rule-range = Choose a whole number from { $least } to { $most }.
rule-shape = This does not look right. Compare it with the example.
