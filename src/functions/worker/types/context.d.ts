// Types of what functions find at run time. The names of the app's own functions, values and services come before.

declare let exports: (...args: any[]) => any;
declare const context: Restitch.Context;
declare const utils: Restitch.Utils;
declare const BSON: Restitch.BsonTypes;
declare const EJSON: {
  parse(text: string): any;
  stringify(value: any): string;
};
declare const console: Record<"log" | "info" | "debug" | "warn" | "error" | "trace" | "dir", (...values: any[]) => void>;
declare function require(module: string): any;
declare class HTTPResponse {
  setStatusCode(code: number): void;
  setBody(body: string | Restitch.Binary): void;
  setHeader(name: string, value: string): void;
  addHeader(name: string, value: string): void;
}

declare namespace Restitch {
  interface Context {
    readonly app: {
      id: string;
      clientAppId: string;
      name: string;
      projectId: string;
      deployment: { model: string; providerRegion: string };
      lastDeployed: string;
      hostingUri?: string;
    };
    readonly environment: { tag: string; values: EnvironmentValues & Record<string, any> };
    readonly functions: { execute(name: FunctionName | (string & {}), ...args: any[]): any };
    readonly http: HttpClient;
    readonly request: Request;
    readonly services: {
      get<Name extends keyof Services>(name: Name): Services[Name];
      get(name: string): any;
    };
    readonly user: User;
    readonly values: { get(name: ValueName | (string & {})): any };
    runningAsSystem(): boolean;
  }

  interface User {
    id: string;
    type: "normal" | "server" | "system";
    data: Record<string, any>;
    custom_data: Record<string, any>;
    identities: { id: string; provider_type: string; data?: any }[];
  }

  interface Request {
    remoteIPAddress: string;
    requestHeaders: Record<string, string[]>;
    rawQueryString: string;
    httpMethod?: string;
    webhookUrl?: string;
    httpReferrer?: string;
    httpUserAgent?: string;
    service?: string;
    action?: string;
  }

  interface HttpOptions {
    url?: string;
    scheme?: string;
    host?: string;
    path?: string;
    query?: Record<string, string[]>;
    fragment?: string;
    username?: string;
    password?: string;
    headers?: Record<string, string[]>;
    cookies?: Record<string, string>;
    body?: any;
    encodeBodyAsJSON?: boolean;
    form?: Record<string, any>;
    digestAuth?: boolean;
    authUrl?: string;
    followRedirects?: boolean;
  }
  interface HttpAnswer {
    status: string;
    statusCode: number;
    contentLength: number;
    headers: Record<string, string[]>;
    cookies: Record<string, string>;
    body: Binary;
  }
  type HttpClient = Record<"get" | "post" | "put" | "patch" | "delete" | "head", (options: HttpOptions) => Promise<HttpAnswer>>;

  type Document = Record<string, any>;
  interface Options extends Document {
    session?: ClientSession;
  }
  interface UpdateResult {
    matchedCount: number;
    modifiedCount: number;
    upsertedId?: any;
  }
  interface MongoClient {
    db(name: string): Database;
    admin(): { getDBNames(): Promise<string[]> };
    startSession(): ClientSession;
  }
  interface ClientSession {
    withTransaction<T>(body: (session: ClientSession) => Promise<T>, options?: Document): Promise<T>;
    startTransaction(options?: Document): void;
    commitTransaction(): Promise<void>;
    abortTransaction(): Promise<void>;
    endSession(): Promise<void>;
  }
  interface Database {
    readonly name: string;
    collection(name: string): Collection;
    getCollectionNames(): Promise<string[]>;
    aggregate(pipeline: Document[], options?: Options): Cursor;
  }
  interface Cursor extends PromiseLike<any[]>, AsyncIterable<any> {
    next(): Promise<any>;
    hasNext(): Promise<boolean>;
    toArray(): Promise<any[]>;
    forEach(callback: (document: any) => void): Promise<void>;
    sort(specification: Document): this;
    skip(count: number): this;
    limit(count: number): this;
  }
  interface Collection {
    readonly name: string;
    find(query?: Document, projection?: Document, options?: Options): Cursor;
    findOne(query?: Document, projection?: Document, options?: Options): Promise<any>;
    findOneAndUpdate(query: Document, update: Document | Document[], options?: Options): Promise<any>;
    findOneAndReplace(query: Document, replacement: Document, options?: Options): Promise<any>;
    findOneAndDelete(query: Document, options?: Options): Promise<any>;
    insertOne(document: Document, options?: Options): Promise<{ insertedId: any }>;
    insertMany(documents: Document[], options?: Options): Promise<{ insertedIds: any[] }>;
    updateOne(query: Document, update: Document | Document[], options?: Options): Promise<UpdateResult>;
    updateMany(query: Document, update: Document | Document[], options?: Options): Promise<UpdateResult>;
    replaceOne(query: Document, replacement: Document, options?: Options): Promise<UpdateResult>;
    deleteOne(query: Document, options?: Options): Promise<{ deletedCount: number }>;
    deleteMany(query: Document, options?: Options): Promise<{ deletedCount: number }>;
    aggregate(pipeline: Document[], options?: Options): Cursor;
    count(query?: Document, options?: Options): Promise<number>;
    countDocuments(query?: Document, options?: Options): Promise<number>;
    estimatedDocumentCount(options?: Options): Promise<number>;
    distinct(field: string, query?: Document, options?: Options): Promise<any[]>;
    bulkWrite(operations: Document[], options?: Options): Promise<null>;
    initializeOrderedBulkOp(): any;
    initializeUnorderedBulkOp(): any;
  }

  interface Utils {
    crypto: {
      encrypt(method: "aes", message: string, key: string): Binary;
      decrypt(method: "aes", message: Binary, key: string): Binary;
      sign(method: "rsa", message: string, privateKey: string, scheme?: "pss" | "pkcs1v15"): Binary;
      verify(method: "rsa", message: string, publicKey: string, signature: Binary, scheme?: "pss" | "pkcs1v15"): boolean;
      hmac(input: string, secret: string, hash: "sha1" | "sha256" | "sha512", format: "hex" | "base64"): string;
      hash(hash: "sha1" | "sha256" | "md5", input: string | Binary): Binary;
    };
    jwt: {
      encode(method: string, payload: Document, secret: string, headers?: Document): string;
      decode(token: string, key: string, returnHeader?: boolean, acceptedMethods?: string[]): any;
    };
  }

  interface Binary {
    text(): string;
    toHex(): string;
    toBase64(): string;
    length(): number;
  }
  type Constructor = { new (...args: any[]): any; (...args: any[]): any; [member: string]: any };
  interface BsonTypes extends Record<string, any> {
    ObjectId: Constructor;
    Binary: Constructor & {
      fromHex(hex: string, subType?: number): Binary;
      fromBase64(text: string, subType?: number): Binary;
      fromText(text: string): Binary;
    };
    Int32: Constructor;
    Long: Constructor;
    Double: Constructor;
    Decimal128: Constructor & { fromString(text: string): any };
    BSONRegExp: Constructor;
    MinKey: Constructor;
    MaxKey: Constructor;
  }
}
