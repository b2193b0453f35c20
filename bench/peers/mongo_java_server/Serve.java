import de.bwaldvogel.mongo.InMemoryMongoServer;

/** Serves the MongoDB wire protocol from memory on 127.0.0.1; the argument is the port. */
public class Serve {
  public static void main(String[] arguments) {
    InMemoryMongoServer server = new InMemoryMongoServer();
    server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
  }
}
