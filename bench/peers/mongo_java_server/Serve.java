import de.bwaldvogel.mongo.InMemoryMongoServer;

/** Serves the MongoDB wire protocol from memory on 127.0.0.1: PORT [oplog]. Change streams need the oplog. */
public class Serve {
  public static void main(String[] arguments) {
    InMemoryMongoServer server = new InMemoryMongoServer();
    if (arguments.length > 1 && arguments[1].equals("oplog")) server.enableOplog();
    server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
  }
}
