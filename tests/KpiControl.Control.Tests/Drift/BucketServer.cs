using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Azure.Core.Pipeline;
using Azure.Storage;
using Azure.Storage.Blobs;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A service that keeps objects, run for a class of tests; each test has a bucket of its own. It ends with this object, or this process.</summary>
public abstract class BucketServer : IAsyncLifetime
{
    private Process? process;

    /// <summary>Of the key; made for this run.</summary>
    public string Secret { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(33));

    public abstract string Kind { get; }

    /// <summary>How a store is told to reach it, but for its Password.</summary>
    public abstract (string Key, string Value)[] Settings { get; }

    /// <summary>What it says of a key that is not its own.</summary>
    public abstract string RefusesKeys { get; }

    /// <summary>What it says of a bucket that is not there.</summary>
    public abstract string LacksBucket { get; }

    protected string Announced { get; private set; } = "";

    public abstract Task CreateAsync(string bucket);

    public abstract Task PutAsync(string bucket, string name, string text);

    public abstract Task<string> GetAsync(string bucket, string name);

    public abstract Task DeleteAsync(string bucket, string name);

    public async ValueTask InitializeAsync()
    {
        process = Process.Start(Start())!;
        while (!IsAnnounced(Announced))
            Announced = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"{Kind} did not start: {await process.StandardError.ReadToEndAsync()}");
        Connect();
    }

    public virtual ValueTask DisposeAsync()
    {
        process?.StandardInput.Close();
        process?.WaitForExit(TimeSpan.FromSeconds(10));
        process?.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected abstract ProcessStartInfo Start();

    protected abstract bool IsAnnounced(string line);

    protected abstract void Connect();

    protected static ProcessStartInfo Piped(string program, params string[] arguments) =>
        new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
}

/// <summary>S3 as OpenStack Swift speaks it: it checks signatures, and takes neither chunked uploads nor writes under a condition.</summary>
public sealed class SwiftServer : BucketServer
{
    private AmazonS3Client client = null!;

    public override string Kind => "s3";

    public override (string Key, string Value)[] Settings => [("Endpoint", Url), ("PlainUploads", "true"), ("User", "test:tester")];

    public override string RefusesKeys => "is refused (SignatureDoesNotMatch)";

    public override string LacksBucket => "is refused (NoSuchBucket)";

    private string Url => $"http://127.0.0.1:{Announced}";

    public override Task CreateAsync(string bucket) => client.PutBucketAsync(bucket);

    public override Task PutAsync(string bucket, string name, string text) =>
        client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = name, InputStream = new MemoryStream(Encoding.UTF8.GetBytes(text)), UseChunkEncoding = false });

    public override async Task<string> GetAsync(string bucket, string name)
    {
        using var found = await client.GetObjectAsync(bucket, name);
        return await new StreamReader(found.ResponseStream).ReadToEndAsync();
    }

    public override Task DeleteAsync(string bucket, string name) => client.DeleteObjectAsync(bucket, name);

    public override ValueTask DisposeAsync()
    {
        client?.Dispose();
        return base.DisposeAsync();
    }

    protected override ProcessStartInfo Start()
    {
        var start = Piped("setsid", "bash", Repository.File("scripts", "test-swift.sh"));
        start.Environment["SWIFT_SECRET"] = Secret;
        return start;
    }

    protected override bool IsAnnounced(string line) => int.TryParse(line, out _);

    protected override void Connect() => client = new AmazonS3Client(new BasicAWSCredentials("test:tester", Secret), new AmazonS3Config
    {
        ServiceURL = Url, AuthenticationRegion = "us-east-1", ForcePathStyle = true,
        RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED, ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
    });
}

/// <summary>Microsoft's own Azurite, over TLS of an authority of the test's.</summary>
public sealed class AzuriteServer : BucketServer
{
    private readonly TestAuthority authority = new();
    private readonly string directory = Directory.CreateTempSubdirectory("kpi-azurite-").FullName;
    private SocketsHttpHandler handler = null!;
    private BlobServiceClient client = null!;

    public override string Kind => "azure-blob";

    public override (string Key, string Value)[] Settings => [("Endpoint", Url), ("CaFile", authority.CertificateFile), ("User", "acme")];

    public override string RefusesKeys => "is refused (AuthorizationFailure)";

    public override string LacksBucket => "is refused (ContainerNotFound)";

    private string Url => $"{Announced[Announced.IndexOf("https://", StringComparison.Ordinal)..].Trim()}/acme";

    public override Task CreateAsync(string bucket) => client.CreateBlobContainerAsync(bucket);

    public override Task PutAsync(string bucket, string name, string text) => Blob(bucket, name).UploadAsync(new BinaryData(text), overwrite: true);

    public override async Task<string> GetAsync(string bucket, string name) => (await Blob(bucket, name).DownloadContentAsync()).Value.Content.ToString();

    public override Task DeleteAsync(string bucket, string name) => Blob(bucket, name).DeleteAsync();

    /// <summary>A signature that lets its holder read and list, and no more.</summary>
    public string ReadOnlySignature(string bucket) => client.GetBlobContainerClient(bucket).GenerateSasUri(
        Azure.Storage.Sas.BlobContainerSasPermissions.Read | Azure.Storage.Sas.BlobContainerSasPermissions.List, TimeProvider.System.GetUtcNow().AddHours(1)).Query;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        handler?.Dispose();
        authority.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    protected override ProcessStartInfo Start()
    {
        var start = Piped("node", Repository.File("tests", "azurite", "serve.cjs"), directory, authority.ServerCertificateFile, authority.ServerKeyFile);
        start.Environment["AZURITE_ACCOUNTS"] = $"acme:{Secret}";
        return start;
    }

    protected override bool IsAnnounced(string line) => line.Contains("successfully listens on https://", StringComparison.Ordinal);

    protected override void Connect()
    {
        handler = authority.Handler();
        client = new BlobServiceClient(new Uri(Url), new StorageSharedKeyCredential("acme", Secret), new BlobClientOptions { Transport = new HttpClientTransport(new HttpClient(handler)) });
    }

    private BlobClient Blob(string bucket, string name) => client.GetBlobContainerClient(bucket).GetBlobClient(name);
}
