package console

func eventRoutes() []route { return nil }
