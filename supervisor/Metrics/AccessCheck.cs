using k8s;
using k8s.Models;

namespace Vks.Supervisor.Metrics;

/// <summary>Asks the API server whether the user that a request speaks for may have what it asks for.</summary>
internal sealed class AccessCheck(IKubernetes client)
{
    /// <summary>Whether the user may.</summary>
    /// <param name="headers">With the user's name, groups and extras, as the API server sets them.</param>
    /// <param name="wanted">What is asked for.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public async Task<bool> AllowsAsync(IHeaderDictionary headers, V1ResourceAttributes wanted, CancellationToken cancellationToken)
    {
        const string extra = "X-Remote-Extra-";
        V1SubjectAccessReview review = await client.AuthorizationV1.CreateSubjectAccessReviewAsync(
            new V1SubjectAccessReview
            {
                Spec = new V1SubjectAccessReviewSpec
                {
                    User = headers["X-Remote-User"].ToString(),
                    Groups = [.. headers["X-Remote-Group"].Select(static group => group ?? "")],
                    Extra = headers.Where(static header => header.Key.StartsWith(extra, StringComparison.OrdinalIgnoreCase))
                        .ToDictionary(static header => Uri.UnescapeDataString(header.Key[extra.Length..]).ToLowerInvariant(), static IList<string> (header) => [.. header.Value.Select(static value => value ?? "")]),
                    ResourceAttributes = wanted,
                },
            },
            cancellationToken: cancellationToken);
        return review.Status.Allowed;
    }
}
