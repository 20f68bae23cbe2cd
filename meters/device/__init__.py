"""One simulated meter that answers: history, state, objects, rights, association, server, ports."""
