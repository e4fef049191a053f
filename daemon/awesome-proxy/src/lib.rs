//! The front doors: HTTP and MySQL, routed to the live node, held while there is none.
