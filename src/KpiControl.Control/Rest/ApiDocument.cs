using Google.Api;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using KpiControl.Protocol;
using Microsoft.OpenApi;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace KpiControl.Control.Rest;

/// <summary>The OpenAPI document, made from the protos' descriptors, their http rules and their comments.</summary>
internal static class ApiDocument
{
    private const string Scheme = "bearer";

    public static async Task<string> WriteAsync(CancellationToken token) => await Build().SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, token);

    public static OpenApiDocument Build()
    {
        var document = new OpenApiDocument
        {
            Info = new OpenApiInfo { Title = "KpiControl", Version = "v1", Description = "Control plane for KPI jobs. The same methods are served by gRPC; their protos are in the reflection service." },
            Paths = [], Components = new OpenApiComponents { Schemas = new Dictionary<string, IOpenApiSchema>(), SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>() },
            Tags = new HashSet<OpenApiTag>(),
        };
        document.Components.SecuritySchemes[Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = Scheme, BearerFormat = "JWT" };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
        var schemas = new ApiSchemas(document);
        foreach (var service in Services())
        {
            document.Tags.Add(new OpenApiTag { Name = service.Name, Description = Comment(service.Declaration) });
            foreach (var method in service.Methods)
                AddMethod(document, schemas, method);
        }
        document.RegisterComponents();
        return document;
    }

    private static IEnumerable<ServiceDescriptor> Services()
    {
        var set = FileDescriptorSet.Parser.ParseFrom(Protoset.Bytes());
        var files = FileDescriptor.BuildFromByteStrings(set.File.Select(f => f.ToByteString()), [AnnotationsExtensions.Http]);
        return files.Where(f => f.Package == "kpicontrol.v1").SelectMany(f => f.Services);
    }

    private static void AddMethod(OpenApiDocument document, ApiSchemas schemas, MethodDescriptor method)
    {
        if (method.GetOptions()?.GetExtension(AnnotationsExtensions.Http) is not { } rule)
            return;
        var number = 0;
        foreach (var binding in rule.AdditionalBindings.Prepend(rule))
        {
            var (verb, path) = Target(binding);
            if (!document.Paths.TryGetValue(path, out var item))
                document.Paths[path] = item = new OpenApiPathItem { Operations = [] };
            item.Operations![verb] = Operation(document, schemas, method, binding, path, number++);
        }
    }

    private static OpenApiOperation Operation(OpenApiDocument document, ApiSchemas schemas, MethodDescriptor method, HttpRule binding, string path, int number)
    {
        var comment = Comment(method.Declaration);
        var operation = new OpenApiOperation
        {
            OperationId = method.Name + (number == 0 ? "" : FormattableString.Invariant($"_{number + 1}")),
            Summary = comment.Split('.')[0], Description = comment, Tags = new HashSet<OpenApiTagReference> { new(method.Service.Name, document) },
            Parameters = [], Responses = [],
        };
        foreach (var field in method.InputType.Fields.InDeclarationOrder())
            if (path.Contains($"{{{field.Name}}}", StringComparison.Ordinal))
                operation.Parameters.Add(Parameter(schemas, field, ParameterLocation.Path));
            else if (binding.Body.Length == 0)
                operation.Parameters.Add(Parameter(schemas, field, ParameterLocation.Query));
        if (binding.Body.Length > 0)
            operation.RequestBody = Body(schemas, method.InputType);
        operation.Responses["200"] = Response("As asked.", schemas.Of(method.OutputType));
        operation.Responses["default"] = Response("google.rpc.Status with one ErrorInfo.", schemas.Error());
        return operation;
    }

    private static OpenApiRequestBody Body(ApiSchemas schemas, MessageDescriptor input)
    {
        var content = new Dictionary<string, IOpenApiMediaType> { ["application/json"] = new OpenApiMediaType { Schema = schemas.Of(input) } };
        if (ArtifactUpload.Takes(input))
            content["application/yaml"] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "The artifact itself; everything else in the query." } };
        return new OpenApiRequestBody { Content = content };
    }

    private static OpenApiParameter Parameter(ApiSchemas schemas, FieldDescriptor field, ParameterLocation place) => new()
    {
        Name = field.Name, In = place, Required = place == ParameterLocation.Path, Description = Comment(field.Declaration), Schema = schemas.Of(field),
    };

    private static OpenApiResponse Response(string description, IOpenApiSchema schema) =>
        new() { Description = description, Content = new Dictionary<string, IOpenApiMediaType> { ["application/json"] = new OpenApiMediaType { Schema = schema } } };

    private static (HttpMethod, string) Target(HttpRule rule) => rule.PatternCase switch
    {
        HttpRule.PatternOneofCase.Get => (HttpMethod.Get, rule.Get),
        HttpRule.PatternOneofCase.Put => (HttpMethod.Put, rule.Put),
        HttpRule.PatternOneofCase.Delete => (HttpMethod.Delete, rule.Delete),
        HttpRule.PatternOneofCase.Patch => (HttpMethod.Patch, rule.Patch),
        _ => (HttpMethod.Post, rule.Post),
    };

    public static string Comment(DescriptorDeclaration? declaration) => (declaration?.LeadingComments ?? "").Trim();
}
