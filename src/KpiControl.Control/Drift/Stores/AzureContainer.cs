using System.Runtime.CompilerServices;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Drift.Stores;

/// <summary>A container of Azure Blob Storage.</summary>
internal sealed class AzureContainer : IBucket
{
    private readonly StoreSettings settings;
    private readonly HttpClient http;
    private readonly BlobClientOptions options;
    private readonly Lazy<TokenCredential> identity;

    public AzureContainer(StoreSettings settings)
    {
        this.settings = settings;
        http = BucketHttp.Client(settings);
        options = new BlobClientOptions { Transport = new HttpClientTransport(http), Retry = { MaxRetries = 2, NetworkTimeout = TimeSpan.FromMinutes(1) }, Diagnostics = { IsTelemetryEnabled = false, IsLoggingEnabled = false, IsDistributedTracingEnabled = false } };
        // The machine's or the pod's own; never somebody who is logged in on the machine.
        identity = new(() => new ChainedTokenCredential(new WorkloadIdentityCredential(), new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned)));
    }

    // Made for each call from what the reference holds by then, so that a rotation counts at once; connections are the transport's.
    private BlobContainerClient Container
    {
        get
        {
            var url = new Uri($"{settings.Endpoint.TrimEnd('/')}/{settings.Bucket}");
            if (settings.Password.Length == 0)
                return new BlobContainerClient(url, identity.Value, options);
            var secret = SecretReference.Read(settings.Password);
            return secret.Contains("sig=", StringComparison.Ordinal)
                ? new BlobContainerClient(url, new AzureSasCredential(secret.TrimStart('?')), options)
                : new BlobContainerClient(url, new StorageSharedKeyCredential(settings.User, secret), options);
        }
    }

    public async IAsyncEnumerable<StoreEntry> ListAsync([EnumeratorCancellation] CancellationToken token)
    {
        await using var pages = Container.GetBlobsAsync(BlobTraits.None, BlobStates.None, settings.Prefix, token).AsPages().GetAsyncEnumerator(token);
        while (await InWordsAsync(async () => await pages.MoveNextAsync()))
            foreach (var found in pages.Current.Values)
                yield return new StoreEntry(found.Name[settings.Prefix.Length..], Version(found.Properties.ETag!.Value));
    }

    public Task<BucketObject?> ReadAsync(string name, string? version, CancellationToken token) => InWordsAsync(async () =>
    {
        try
        {
            var conditions = version is null ? null : new BlobRequestConditions { IfMatch = new ETag(version) };
            using var found = (await Container.GetBlobClient(settings.Prefix + name).DownloadStreamingAsync(new BlobDownloadOptions { Conditions = conditions }, token)).Value;
            return await BucketObject.ReadAsync(Version(found.Details.ETag), found.Content, token);
        }
        catch (RequestFailedException none) when (none.ErrorCode == BlobErrorCode.BlobNotFound || none.ErrorCode == BlobErrorCode.ConditionNotMet)
        {
            return null;
        }
    });

    public Task<bool> PutAsync(string name, string? version, byte[] content, CancellationToken token) => InWordsAsync(async () =>
    {
        try
        {
            await Container.GetBlobClient(settings.Prefix + name).UploadAsync(new BinaryData(content), new BlobUploadOptions
            {
                Conditions = version is null ? new BlobRequestConditions { IfNoneMatch = ETag.All } : new BlobRequestConditions { IfMatch = new ETag(version) },
                HttpHeaders = new BlobHttpHeaders { ContentType = name.EndsWith(".json", StringComparison.Ordinal) ? "application/json" : "application/yaml" },
            }, token);
            return true;
        }
        catch (RequestFailedException moved) when (moved.ErrorCode == BlobErrorCode.BlobAlreadyExists || moved.ErrorCode == BlobErrorCode.ConditionNotMet)
        {
            return false;
        }
    });

    public void Dispose() => http.Dispose();

    // A listing writes it without the quotes that a header has.
    private static string Version(ETag etag) => etag.ToString("H");

    // The service's message goes on with every header of the answer: its first line is for people.
    private async Task<T> InWordsAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (RequestFailedException refused) when (refused.Status > 0)
        {
            throw new StoreFaultException($"{settings.Location} is refused ({refused.ErrorCode}): {refused.Message.Split('\n')[0].Trim()}");
        }
        catch (Exception error) when (error is RequestFailedException or AuthenticationFailedException or HttpRequestException or IOException or InvalidOperationException or AggregateException or FormatException)
        {
            throw new StoreFaultException($"{settings.Location} cannot be reached: {(error.InnerException ?? error).Message.Split('\n')[0].Trim()}");
        }
    }
}
