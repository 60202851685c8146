"""What people want to be told about. In: plugins that a run touched, with their scores and changes. Out: alerts with a life cycle."""
