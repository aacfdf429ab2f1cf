using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Drift.Stores;

/// <summary>A bucket of Amazon S3, or of what speaks like it.</summary>
internal sealed class S3Bucket : IBucket
{
    private readonly StoreSettings settings;
    private readonly HttpClient http;
    private readonly AmazonS3Client client;

    public S3Bucket(StoreSettings settings)
    {
        this.settings = settings;
        http = BucketHttp.Client(settings);
        var config = new AmazonS3Config { HttpClientFactory = new OneClient(http), MaxErrorRetry = 2 };
        if (settings.Region.Length > 0)
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(settings.Region);
        if (settings.Endpoint.Length > 0)
        {
            config.ServiceURL = settings.Endpoint;
            config.AuthenticationRegion = settings.Region.Length > 0 ? settings.Region : "us-east-1";
            // Names of buckets beneath an endpoint's own name are an arrangement of Amazon's.
            config.ForcePathStyle = true;
        }
        if (settings.PlainUploads)
            (config.RequestChecksumCalculation, config.ResponseChecksumValidation) = (RequestChecksumCalculation.WHEN_REQUIRED, ResponseChecksumValidation.WHEN_REQUIRED);
        client = settings.Password.Length > 0 ? new AmazonS3Client(new ReferredCredentials(settings), config) : new AmazonS3Client(config);
    }

    public async IAsyncEnumerable<StoreEntry> ListAsync([EnumeratorCancellation] CancellationToken token)
    {
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = settings.Prefix };
        ListObjectsV2Response page;
        do
        {
            page = await InWordsAsync(() => client.ListObjectsV2Async(request, token));
            foreach (var found in page.S3Objects ?? [])
                yield return new StoreEntry(found.Key[settings.Prefix.Length..], found.ETag);
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
    }

    public Task<BucketObject?> ReadAsync(string name, string? version, CancellationToken token) => InWordsAsync(async () =>
    {
        try
        {
            using var found = await client.GetObjectAsync(new GetObjectRequest { BucketName = settings.Bucket, Key = settings.Prefix + name, EtagToMatch = version }, token);
            return await BucketObject.ReadAsync(found.ETag, found.ResponseStream, token);
        }
        catch (AmazonS3Exception none) when (none.ErrorCode is "NoSuchKey" or "PreconditionFailed")
        {
            return null;
        }
    });

    public Task<bool> PutAsync(string name, string? version, byte[] content, CancellationToken token) => InWordsAsync(async () =>
    {
        using var body = new MemoryStream(content);
        var request = new PutObjectRequest
        {
            BucketName = settings.Bucket, Key = settings.Prefix + name, InputStream = body, AutoCloseStream = false, UseChunkEncoding = !settings.PlainUploads,
            ContentType = name.EndsWith(".json", StringComparison.Ordinal) ? "application/json" : "application/yaml",
        };
        // Without it the look just before is all there is: who writes in that instant is written over.
        if (!settings.PlainUploads && version is null)
            request.IfNoneMatch = "*";
        else if (!settings.PlainUploads)
            request.IfMatch = version;
        try
        {
            await client.PutObjectAsync(request, token);
            return true;
        }
        catch (AmazonS3Exception moved) when (moved.ErrorCode is "PreconditionFailed" or "ConditionalRequestConflict")
        {
            return false;
        }
    });

    public void Dispose()
    {
        client.Dispose();
        http.Dispose();
    }

    // The service's own words say what was wrong with a key or a bucket; they hold no secret.
    private async Task<T> InWordsAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (AmazonS3Exception refused)
        {
            throw new StoreFaultException($"{settings.Location} {(refused.ErrorCode is { Length: > 0 } code ? $"is refused ({code})" : "cannot be read")}: {refused.Message.ReplaceLineEndings(" ")}");
        }
        catch (Exception error) when (error is AmazonClientException or HttpRequestException or IOException or InvalidOperationException)
        {
            throw new StoreFaultException($"{settings.Location} cannot be reached: {(error.InnerException ?? error).Message.ReplaceLineEndings(" ")}");
        }
    }

    // Read at each signature, so that a rotation counts at once.
    private sealed class ReferredCredentials(StoreSettings settings) : AWSCredentials
    {
        public override ImmutableCredentials GetCredentials() => new(settings.User, SecretReference.Read(settings.Password), null);
    }

    private sealed class OneClient(HttpClient client) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => client;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }
}
