"""Group jars: a second kind of entity, `tenant/~group_id`. It owns nothing: every share stays its member's."""
